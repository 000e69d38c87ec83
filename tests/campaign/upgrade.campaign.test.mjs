import { test } from 'node:test';
import { crashes } from '../ngx/upgrade.mjs';

test('campaign: kill -9 of everything behind the answer to a change loses nothing: 200 times', (t) => crashes(t, 200));
