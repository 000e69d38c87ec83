import { test } from 'node:test';
import { atomic } from './atomic.mjs';

test('after the answer to a change no later request is cut by the old split: 1,000 changes', (t) => atomic(t, 1000));
