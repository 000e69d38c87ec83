// A canary that fails every request under full load, each of a visitor of its own: a reader that comes once a second loses no
// event, with events= as docs/reference/nginx-directives.md says.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { begin, end, forEach, nginx, page, pipeline, stats, total } from './events.mjs';

const CONNECTIONS = 4;
const SECONDS = 6;

const services = ({ ports }) => `
  upstream load {
    pourover zone=main share=50% salt=r1 events=60000;
    pourover_passive off;
    server 127.0.0.1:${ports.dead};
    pourover_server unix:/nowhere track=canary;
    keepalive 64;
  }
  server { listen 127.0.0.1:${ports.dead}; keepalive_requests 1000000; return 200; }`;

before(() => begin({ services, locations: () => '' }));
after(end);
