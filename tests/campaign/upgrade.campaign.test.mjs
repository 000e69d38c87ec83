import { test } from 'node:test';
import { killedChanges } from '../ngx/killed.mjs';
import { crashes } from '../ngx/upgrade.mjs';

test('campaign: kill -9 of everything behind the answer to a change loses nothing: 200 times', (t) => crashes(t, 200));

test('campaign: workers killed in the middle of 2,000 changes', (t) => killedChanges(t, 2000));
