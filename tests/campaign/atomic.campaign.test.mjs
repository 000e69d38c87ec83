import { test } from 'node:test';
import { atomic } from '../ngx/atomic.mjs';

test('campaign: no request is cut by an old split after 10,000 changes', (t) => atomic(t, 10_000));
