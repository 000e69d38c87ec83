import { test } from 'node:test';
import { drains } from '../ngx/drain.mjs';

test('campaign: 10,000 drains under load without one failed request', (t) => drains(t, 10_000));
