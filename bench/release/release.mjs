#!/usr/bin/env node
import { wall } from './wall.mjs';
const list = await wall(process.argv[2], Number(process.argv[3]), console.log);
if (process.argv[4]) {
  const { writeFileSync } = await import('node:fs');
  writeFileSync(process.argv[4], JSON.stringify(list.at(-1).run.events, null, 1));
}
