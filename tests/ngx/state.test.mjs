// The state file: what a router was told lives through restarts, crashes, reloads and upgrades, and what cannot be
// believed never sends anybody to the canary.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { environment, MODULE, startNginx, testConfig } from '../support/nginx.mjs';
import { call, readState, siphash, stateLine, stateText } from '../support/router-api.mjs';
import { waitUntil } from '../support/wait.mjs';

const cut = (name, more = '') => `pourover_cut ${name} zone=main ${more};`;

const config = (cuts, more = '') => ({ ports, dir }) => `
  pourover_zone name=main size=2m state=${dir}/state/router.json ${more};
  ${cuts}
  server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`;

const TWO = config(cut('shop', 'share=5%') + cut('study', 'share=7% salt=r1'));

async function start(options = {}) {
  const nginx = await startNginx({ http: TWO, ...options });
  const api = (method, name, body) => call({ port: nginx.ports.http }, method, name, body);
  return {
    nginx,
    file: path.join(nginx.dir, 'state/router.json'),
    status: async () => (await api('GET', 'v1/status')).body,
    split: async (name) => (await api('GET', `v1/services/${name}`)).body.split,
    restored: async (name) => (await api('GET', `v1/services/${name}`)).body.restored,
    put: (name, body) => api('PUT', `v1/services/${name}/split`, body),
  };
}

/** Stops the nginx, lets `change` do something to its files, and starts it again in the same directory. */
async function restart(router, change = () => {}, options = {}) {
  await router.nginx.stop();
  change();
  return start({ dir: router.nginx.dir, ...options });
}

async function end(router, allow) {
  await router.nginx.stop();
  router.nginx.assertCleanLog(allow);
  router.nginx.remove();
}

const saved = (router) =>
  waitUntil(async () => (await router.status()).state.saved && existsSync(router.file), 5_000, 'the state file written');

const kept = (router) => readdirSync(path.dirname(router.file)).filter((name) => name.includes('.refused-'));

const raised = (share_ppm, revision) => ({ share_ppm, revision, if_revision: revision - 1 });

test('SipHash of the tests is the published one', () => {
  assert.equal(siphash(''), '1e924b9d737700d7');
});

test('a first start takes the configuration, writes the file, and keeps it fresh', async () => {
  const router = await start();
  assert.deepEqual((await router.status()).restored, 'fresh');
  assert.deepEqual(await router.split('study'), { share_ppm: 70000, salt: 'r1', enabled: true, revision: 0 });
  await saved(router);
  const { header, services } = readState(readFileSync(router.file, 'utf8'));
  assert.equal(header.instance, (await router.status()).instance);
  assert.deepEqual([...services.keys()].sort(), ['shop', 'study']);
  assert.equal(services.get('shop').share_ppm, 50000);
  await waitUntil(
    () => readState(readFileSync(router.file, 'utf8')).header.alive_at_ms >= header.alive_at_ms + 5_000,
    20_000,
    'a fresher alive_at_ms',
  );
  await end(router);
});

test('what a PUT answered holds after a restart, and nginx.conf is silent from then on', async () => {
  let router = await start();
  const answer = await router.put('shop', { share_ppm: 1234, salt: 'r42', enabled: false, revision: 9, if_revision: 0 });
  assert.equal(answer.status, 200, answer.text);
  const split = { share_ppm: 1234, salt: 'r42', enabled: false, revision: 9 };
  assert.deepEqual(answer.body.split, split);
  assert.equal(answer.body.saved, true);
  assert.deepEqual(readState(readFileSync(router.file, 'utf8')).services.get('shop'), { name: 'shop', ...split });

  router = await restart(router);
  assert.equal((await router.status()).restored, 'file');
  assert.equal(await router.restored('shop'), 'file');
  assert.deepEqual(await router.split('shop'), split);
  await end(router);
});

test('every process killed right behind an answer: the answer holds', async () => {
  let router = await start();
  for (let revision = 1; revision <= 8; revision += 1) {
    const share_ppm = revision % 2 ? 100_000 : 0;
    const answer = await router.put('shop', raised(share_ppm, revision));
    for (const pid of router.nginx.processes()) router.nginx.kill(pid);
    assert.equal(answer.status, 200);
    router = await restart(router);
    assert.deepEqual(await router.split('shop'), { share_ppm, salt: 'shop', enabled: true, revision });
  }
  await end(router);
});

test('a file cut anywhere is refused whole: all shares 0, told, kept, and replaced', async () => {
  let router = await start();
  await router.put('shop', raised(500_000, 1));
  await saved(router);
  await router.nginx.stop();
  const whole = readFileSync(router.file, 'utf8');
  const step = Math.ceil(whole.length / 12);
  for (let length = 0; length < whole.length; length = length === whole.length - 1 ? whole.length : Math.min(length + step, whole.length - 1)) {
    const before = kept(router).length;
    writeFileSync(router.file, whole.slice(0, length));
    router = await start({ dir: router.nginx.dir });
    const status = await router.status();
    assert.equal(status.restored, 'refused', `cut at ${length}`);
    assert.match(status.restored_reason, /^it /);
    for (const name of ['shop', 'study']) {
      const { share_ppm, revision } = await router.split(name);
      assert.deepEqual([share_ppm, revision, await router.restored(name)], [0, 0, 'refused'], `cut at ${length}`);
    }
    await saved(router);
    assert.equal(kept(router).length, before + 1);
    assert.equal(readFileSync(path.join(router.nginx.dir, 'state', kept(router).sort().at(-1)), 'utf8'), whole.slice(0, length));
    await router.nginx.stop();
    assert.equal(readState(readFileSync(router.file, 'utf8')).services.get('shop').share_ppm, 0);
  }
  assert.match(router.nginx.errorLog(), /\[alert\].*state file ".*router.json" is refused: .*the share of every service is 0/);
  router.nginx.assertCleanLog([/state file ".*" is refused/]);
  router.nginx.remove();
});

const good = { name: 'shop', share_ppm: 200_000, salt: 'r2', enabled: true, revision: 5 };
const other = { name: 'study', share_ppm: 300_000, salt: 'r3', enabled: true, revision: 6 };

test('files that are not to be believed, each with its reason', async () => {
  const day = 86_400_000;
  const cases = [
    ['', /it is empty/],
    ['{"pourover_state":3,"whatever":1}\n', /another version of pourover: its layout is 3/],
    ['<html>\n', /does not begin as a state file/],
    [stateText([good, other], { alive_at_ms: Date.now() - 8 * day }), /too old: the router lived last at .*state_max_age is 604800 s/],
    [stateText([good, other], { alive_at_ms: Date.now() + 2 * day }), /from the future/],
    [stateText([good, other], { lines: 3 }), /tells of 3 lines/],
    [stateText([good, other]).replace('"instance":"0', '"instance":"1'), /first line is wrong: its sum/],
    [null, /no regular file/], // a pipe
  ];
  let router = await start();
  for (const [text, reason] of cases) {
    router = await restart(router, () => {
      rmSync(router.file, { force: true });
      if (text === null) spawnSync('mkfifo', [router.file]);
      else writeFileSync(router.file, text);
    });
    const status = await router.status();
    assert.equal(status.restored, 'refused', text);
    assert.match(status.restored_reason, reason);
    assert.equal((await router.split('shop')).share_ppm, 0, text);
    await saved(router);
    assert.equal(statSync(router.file).isFile(), true);
  }
  assert.equal(kept(router).length, cases.length);
  await end(router, [/state file ".*" is refused/]);
});

test('a bad line costs its own service, and those that nobody vouches for', async () => {
  let router = await start();
  const bad = stateText([good, other]).replace('"share_ppm":200000', '"share_ppm":900000');
  router = await restart(router, () => writeFileSync(router.file, bad));
  const status = await router.status();
  assert.equal(status.restored, 'partly');
  assert.match(status.restored_reason, /^line 2: its sum is wrong/);
  assert.equal((await router.split('shop')).share_ppm, 0);
  assert.equal(await router.restored('shop'), 'refused');
  assert.deepEqual(await router.split('study'), { share_ppm: 300_000, salt: 'r3', enabled: true, revision: 6 });
  assert.equal(await router.restored('study'), 'file');
  await saved(router);
  assert.equal(readFileSync(path.join(router.nginx.dir, 'state', kept(router)[0]), 'utf8'), bad);

  router = await restart(router, () => writeFileSync(router.file, stateText([good, other, { ...good, share_ppm: 1, revision: 9 }])));
  assert.equal((await router.split('shop')).share_ppm, 0, 'two lines of one service');
  assert.equal((await router.split('study')).share_ppm, 300_000);
  await end(router, [/state file ".*": \d of its lines are refused/]);
});

test('a file of layout 1, as pourover 0.1.0 wrote it, is taken and written anew', async () => {
  let router = await start();
  router = await restart(router, () => writeFileSync(router.file, stateText([good, other], { pourover_state: 1 })));
  assert.equal((await router.status()).restored, 'file');
  assert.deepEqual(await router.split('shop'), { share_ppm: 200_000, salt: 'r2', enabled: true, revision: 5 });
  await router.put('shop', raised(300_000, 6));
  const { header, services } = readState(readFileSync(router.file, 'utf8'));
  assert.deepEqual([header.pourover_state, services.get('shop').share_ppm, services.get('study').share_ppm], [2, 300_000, 300_000]);
  assert.deepEqual(kept(router), []);
  await end(router);
});

const PEERS = ({ ports, dir }) => `
  pourover_zone name=main size=2m state=${dir}/state/router.json;
  upstream shop { pourover zone=main; server 10.0.0.1:80; server 10.0.0.2:80; pourover_server 10.0.0.3:80 track=canary; }
  server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`;

const control = { control: 'shop', revision: 4, maintenance: true, by: 'mia', message: '', since_ms: 5 };
const peer = (address, config, state, track = config || 'stable', weight = 1) => ({
  peer: address, service: 'shop', config, track, weight, dc: config ? '' : 'east', name: config ? '' : address, state,
  by: '', since_ms: 0, requests_until_ms: 0, streams_until_ms: 0,
});

/** What is told of each peer. */
async function peersOf(router) {
  const { body } = await call({ port: router.nginx.ports.http }, 'GET', 'v1/services/shop');
  return Object.fromEntries(body.peers.map(({ address, track, weight, state }) => [address, `${track} ${weight} ${state}`]));
}

test('a bad line of a peer is that peer alone; of several lines that are wrong all are told of', async () => {
  let router = await start({ http: PEERS });
  const lines = [
    { failing: true, revision: 2, by: 'me', since_ms: 7 },
    good,
    control,
    peer('10.0.0.1:80', 'stable', 'draining'),
    peer('10.0.0.3:80', 'canary', 'ready', 'stable', 5),
    peer('10.0.0.9:80', '', 'down'),
    peer('10.0.0.8:80', 'stable', 'removed'), // nginx.conf does not have it any more
    peer('10.0.0.7', '', 'ready'), // no address
  ];
  const bad = (text) => text.replace('"state":"draining"', '"state":"dr4ining"');
  const base = { '10.0.0.1:80': 'stable 1 ready', '10.0.0.2:80': 'stable 1 ready', '10.0.0.3:80': 'stable 5 ready', '10.0.0.9:80': 'stable 1 down' };
  for (const spoil of [(text) => text, bad]) {
    router = await restart(router, () => writeFileSync(router.file, spoil(stateText(lines))), { http: PEERS });
    const status = await router.status();
    const drained = spoil === bad ? {} : { '10.0.0.1:80': 'stable 1 draining' };
    assert.equal(status.restored, spoil === bad ? 'partly' : 'file', status.restored_reason);
    assert.deepEqual(await peersOf(router), { ...base, ...drained });
    assert.equal((await router.split('shop')).share_ppm, 200_000, 'its split is vouched for');
    assert.deepEqual([status.healthcheck.failing, status.healthcheck.by], [true, 'me']);
  }
  router = await restart(router, () => writeFileSync(router.file, '{'), { http: PEERS });
  assert.deepEqual(await peersOf(router), { '10.0.0.1:80': 'stable 1 ready', '10.0.0.2:80': 'stable 1 ready', '10.0.0.3:80': 'canary 1 ready' });
  assert.match(router.nginx.errorLog(), /is refused: .* peers that were added, drained or removed by command.* are as the configuration says/);
  await end(router, [/of its lines are refused/, /is refused/, /a peer of the state file cannot be taken: "10.0.0.7" is no address/]);
});

test('a file that another wrote is taken as a whole by the higher revision, but not with a bad line', async () => {
  const router = await start({ http: PEERS });
  await saved(router);
  const write = (text) => {
    writeFileSync(`${router.file}.new`, text);
    renameSync(`${router.file}.new`, router.file);
  };
  const maintained = async (by) => (await call({ port: router.nginx.ports.http }, 'GET', 'v1/services/shop')).body.maintenance.by === by;
  write(stateText([good, control, peer('10.0.0.1:80', 'stable', 'draining'), peer('10.0.0.9:80', '', 'down')]));
  await waitUntil(() => maintained('mia'), 5_000, 'the file taken');
  const drained = { '10.0.0.1:80': 'stable 1 draining', '10.0.0.2:80': 'stable 1 ready', '10.0.0.3:80': 'canary 1 ready' };
  assert.deepEqual(await peersOf(router), { ...drained, '10.0.0.9:80': 'stable 1 down' });

  // a line that is wrong could be the one of the drain: its share is taken, nothing else
  const text = stateText([{ ...good, revision: 6 }, { ...control, revision: 9, by: 'tom' }, peer('10.0.0.1:80', 'stable', 'draining')]);
  write(text.replace('"state":"draining"', '"state":"dr4ining"'));
  await waitUntil(async () => (await router.split('shop')).revision === 6, 5_000, 'the split taken');
  assert.equal((await peersOf(router))['10.0.0.1:80'], 'stable 1 draining');
  assert.ok(await maintained('mia'));

  // what a higher revision does not name is as nginx.conf says
  write(stateText([good, { ...control, revision: 10, by: 'eve' }, peer('10.0.0.2:80', 'stable', 'removed')]));
  await waitUntil(() => maintained('eve'), 5_000, 'the file taken');
  assert.deepEqual(await peersOf(router), { '10.0.0.1:80': 'stable 1 ready', '10.0.0.3:80': 'canary 1 ready' });
  await end(router);
});

test('services that the configuration lost are remembered until they come back', async () => {
  let router = await start();
  await router.put('study', raised(123_456, 1));
  const only = { http: config(cut('shop')) };
  router = await restart(router, undefined, only);
  await router.put('shop', raised(1, 1));
  router = await restart(router, undefined, only);
  await saved(router);
  router = await restart(router);
  assert.deepEqual(await router.split('study'), { share_ppm: 123_456, salt: 'r1', enabled: true, revision: 1 });
  await end(router);
});

test('a reload keeps what was set, and restores a service that comes back', async () => {
  let router = await start();
  await router.put('study', raised(123_456, 1));
  router = await restart(router, undefined, { http: config(cut('shop')) });
  await router.put('shop', raised(7, 1));
  router.nginx.writeConfig({ http: TWO });
  await router.nginx.reload();
  assert.equal((await router.status()).restored, 'kept');
  assert.equal((await router.split('shop')).share_ppm, 7);
  await waitUntil(async () => (await router.split('study')).share_ppm === 123_456, 15_000, 'the split of the service that came back');
  await end(router);
});

test('a change that cannot be saved: a lowering holds in memory, a raise is not done', async () => {
  const router = await start();
  await router.put('shop', raised(400_000, 1));
  await saved(router);
  const away = path.join(router.nginx.dir, 'away');
  renameSync(path.dirname(router.file), away);

  const up = await router.put('shop', raised(500_000, 2));
  assert.equal(up.status, 507);
  assert.equal(up.body.saved, false);
  assert.equal(up.body.error.code, 'not_saved');
  assert.match(up.body.error.message, /state file ".*router.json" was not written: .*No such file or directory/);
  assert.deepEqual(up.body.split, { share_ppm: 400_000, salt: 'shop', enabled: true, revision: 1 });
  assert.deepEqual(await router.split('shop'), up.body.split);

  const down = await router.put('shop', { share_ppm: 0, revision: 2, if_revision: 'any' });
  assert.equal(down.status, 507);
  assert.equal(down.body.saved, false);
  assert.equal(down.body.split.share_ppm, 0);
  assert.equal((await router.split('shop')).share_ppm, 0);
  const { state } = await router.status();
  assert.deepEqual([state.saved, state.error], [false, 'No such file or directory']);

  renameSync(away, path.dirname(router.file));
  const again = await router.put('shop', raised(500_000, 3));
  assert.equal(again.status, 200, again.text);
  assert.equal((await router.status()).state.saved, true);
  const later = await restart(router);
  assert.equal((await later.split('shop')).share_ppm, 500_000);
  await end(later, [/state file ".*" was not written/]);
});

test('changes of many writers at once: each revision is taken once, none is lost', async () => {
  const router = await start({ workers: 4 });
  const taken = [];
  let conflicts = 0;
  const writer = async (id) => {
    for (let done = 0; done < 12; ) {
      const { revision } = await router.split('shop');
      const answer = await router.put('shop', { share_ppm: id, revision: revision + 1, if_revision: revision });
      if (answer.status === 200) {
        taken.push([revision + 1, id]);
        done += 1;
      } else {
        assert.equal(answer.status, 409, answer.text);
        conflicts += 1;
      }
    }
  };
  await Promise.all([1, 2, 3, 4, 5, 6].map(writer));
  taken.sort((a, b) => a[0] - b[0]);
  assert.deepEqual(taken.map(([revision]) => revision), Array.from({ length: 72 }, (_, i) => i + 1));
  assert.ok(conflicts > 0, 'the writers never met');
  assert.equal((await router.split('shop')).share_ppm, taken.at(-1)[1]);
  assert.equal(readState(readFileSync(router.file, 'utf8')).services.get('shop').revision, 72);
  await end(router);
});

test('workers killed while they write hold nobody up', async () => {
  const router = await start();
  let stop = false;
  let revision = 0;
  let held = 0;
  const writer = async () => {
    while (!stop) {
      const now = await router.split('shop').catch(() => null);
      if (!now) continue;
      assert.ok(now.revision >= held, `revision ${now.revision} after an answer of ${held}`);
      revision = Math.max(revision, now.revision) + 1;
      const answer = await router.put('shop', { share_ppm: revision, revision, if_revision: now.revision }).catch(() => null);
      if (answer?.status === 200) held = Math.max(held, answer.body.split.revision);
    }
  };
  const writers = [writer(), writer(), writer()];
  for (let i = 0; i < 6; i += 1) {
    const before = held;
    await waitUntil(() => held > before + 2, 10_000, 'changes that go through');
    await router.nginx.killWorker();
  }
  stop = true;
  await Promise.all(writers);
  const now = await router.split('shop');
  const answer = await router.put('shop', raised(77, now.revision + 1));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(readState(readFileSync(router.file, 'utf8')).services.get('shop').share_ppm, 77);
  await end(router);
});

test('nginx -t beside the running one changes no byte', async () => {
  const router = await start();
  await router.put('shop', raised(9, 1));
  const look = () =>
    readdirSync(path.dirname(router.file))
      .map((name) => path.join(path.dirname(router.file), name))
      .map((name) => [name, statSync(name, { bigint: true }).mtimeNs, readFileSync(name, 'utf8')]);
  await saved(router);
  const { epoch } = await router.status();
  const before = look();
  const result = await testConfig({ dir: router.nginx.dir, http: TWO });
  assert.equal(result.code, 0, result.output);
  assert.deepEqual(look(), before);
  assert.equal((await router.status()).epoch, epoch);
  await end(router);
});

test('nginx -t makes no directory, and says when the worker user could not write', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  const whole = (user) => `user ${user}; load_module ${MODULE}; pid ${dir}/nginx.pid; error_log ${dir}/error.log;
    events {} http { pourover_zone name=main size=2m state=${dir}/state/router.json; ${cut('shop')} }`;
  const absent = await testConfig({ dir, config: whole('root') });
  assert.equal(absent.code, 0, absent.output);
  assert.equal(existsSync(path.join(dir, 'state')), false);

  const closed = await testConfig({ dir, config: whole('www-data') });
  assert.equal(closed.code, 1);
  assert.match(closed.output, /\[emerg\].*the worker user "www-data" may not pass through the directory ".*" \(owner 0, group 0, mode 0700\); right is: chmod o\+x/);

  chmodSync(dir, 0o755);
  mkdirSync(path.join(dir, 'state'), { mode: 0o755 });
  const foreign = await testConfig({ dir, config: whole('www-data') });
  assert.equal(foreign.code, 1);
  assert.match(foreign.output, /\[emerg\].*"www-data" may not write into the directory ".*state" \(owner 0, .*\); right is: chown www-data/);

  const deep = await testConfig({ dir, config: whole('root').replace('/state/', '/no/such/') });
  assert.equal(deep.code, 1);
  assert.match(deep.output, /\[emerg\].*".*\/no" is no directory.*install -d -o root -m 0750/);

  mkdirSync(path.join(dir, 'state', 'router.json'));
  const folder = await testConfig({ dir, config: whole('root') });
  assert.equal(folder.code, 1);
  assert.match(folder.output, /\[emerg\].*state ".*router\.json" is a directory; right is state=.*router\.json\/router\.json/);

  const slash = await testConfig({ dir, config: whole('root').replace('router.json', '') });
  assert.match(slash.output, /\[emerg\].*names a directory; right is state=.*router\.json/);
  rmSync(dir, { recursive: true });
});

test('workers of another user write the file that the master made room for', async () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  chmodSync(dir, 0o755);
  const router = await start({
    dir,
    config: ({ ports }) => `user www-data; load_module ${MODULE}; worker_processes 2; pid ${dir}/nginx.pid; error_log ${dir}/error.log info;
      events {} http { access_log off; client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/f;
      uwsgi_temp_path ${dir}/u; scgi_temp_path ${dir}/s; ${TWO({ ports, dir })} }`,
  });
  const answer = await router.put('shop', raised(9, 1));
  assert.equal(answer.status, 200, answer.text);
  assert.equal(statSync(path.join(dir, 'state')).mode & 0o777, 0o750);
  assert.notEqual(statSync(router.file).uid, 0);
  await end(router);
});

test('a second nginx with the same file does not start; after the first quits it does', async () => {
  const router = await start();
  await router.put('shop', raised(9, 1));
  const second = mkdtempSync(path.join(tmpdir(), 'pourover-nginx-'));
  const same = ({ ports }) => TWO({ ports, dir: router.nginx.dir });
  await assert.rejects(
    startNginx({ dir: second, http: same }),
    new RegExp(`state file ".*router.json" is used by another nginx \\(pid ${router.nginx.master()}\\)`),
  );
  mkdirSync(second, { recursive: true });
  process.kill(router.nginx.master(), 'SIGQUIT'); // and at once, as "nginx -s quit && nginx" does
  const next = await start({ dir: second, http: same });
  assert.equal((await next.split('shop')).share_ppm, 9);
  await router.nginx.stop();
  await end(next);
  router.nginx.remove();
});

test('a binary upgrade: a change told to either master holds in both', async () => {
  const router = await start({ workers: 1 });
  await router.put('shop', raised(1000, 1));
  await saved(router);
  await router.nginx.upgradeBegin();
  assert.equal((await router.status()).upgrading, true);
  const seen = async () => {
    const instances = new Map();
    for (let i = 0; i < 40; i += 1) {
      const { instance } = (await call({ port: router.nginx.ports.http }, 'GET', 'v1/services/shop/stats')).body;
      const split = await router.split('shop');
      instances.set(instance, split.revision);
    }
    return instances;
  };
  await waitUntil(async () => (await seen()).size === 2, 5_000, 'answers of both zones');
  for (let revision = 2; revision <= 30; revision += 1) {
    // the comparison is with the latest change of either zone, at once
    const answer = await router.put('shop', raised(revision % 2 ? 5000 : 0, revision));
    assert.equal(answer.status, 200, answer.text);
  }
  await waitUntil(async () => [...(await seen()).values()].every((revision) => revision === 30), 2_000, 'revision 30 in both zones');
  await router.nginx.upgradeFinish();
  assert.deepEqual(await router.split('shop'), { share_ppm: 0, salt: 'shop', enabled: true, revision: 30 });
  await waitUntil(async () => !(await router.status()).upgrading, 20_000, 'the end of the upgrade');
  assert.equal((await router.status()).restored, 'file');
  await end(router);
});

test('a file that another writer spoils is not taken, and is replaced', async () => {
  const router = await start();
  await router.put('shop', raised(1000, 1));
  await saved(router);
  writeFileSync(router.file, 'nonsense\n');
  await waitUntil(() => /was changed by another and is not taken: it does not begin/.test(router.nginx.errorLog()), 5_000, 'a warning');
  assert.equal((await router.split('shop')).share_ppm, 1000);
  assert.equal((await router.put('shop', raised(2000, 2))).status, 200);
  assert.equal(readState(readFileSync(router.file, 'utf8')).services.get('shop').share_ppm, 2000);
  assert.equal(kept(router).length, 1);
  unlinkSync(router.file);
  await waitUntil(() => existsSync(router.file), 20_000, 'the file again');
  assert.equal(readState(readFileSync(router.file, 'utf8')).services.get('shop').share_ppm, 2000);
  await end(router);
});

test('without a file changes hold in memory, and are not called saved', async () => {
  const router = await start({
    http: ({ ports }) => `pourover_zone name=main size=2m; ${cut('shop')}
      server { listen 127.0.0.1:${ports.http}; location /pourover/ { pourover_api; } }`,
  });
  assert.equal((await router.status()).state, null);
  const answer = await router.put('shop', raised(1000, 1));
  assert.deepEqual([answer.status, answer.body.saved, answer.body.split.share_ppm], [200, false, 1000]);
  assert.equal((await router.put('shop', raised(1000, 1))).status, 409);
  await end(router);
});

test('nginx -s stop works whatever is wrong with the state file', async () => {
  const router = await start();
  rmSync(path.dirname(router.file), { recursive: true });
  writeFileSync(path.dirname(router.file), '');
  const { dir } = router.nginx;
  const run = spawnSync(
    process.env.POUROVER_NGINX ?? '/usr/sbin/nginx',
    ['-p', dir, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`, '-s', 'stop'],
    { encoding: 'utf8', env: environment({ dir }) },
  );
  assert.equal(run.status, 0, run.stderr);
  await waitUntil(() => router.nginx.processes().length === 0, 5_000, 'the end of nginx');
  router.nginx.remove();
});

// a line of a right sum and a wrong value is told as well
test('a share above a million is refused even with a right sum', async () => {
  let router = await start();
  router = await restart(router, () => writeFileSync(router.file, stateText([{ ...good, share_ppm: 1_000_001 }, other])));
  assert.match((await router.status()).restored_reason, /^line 2: share_ppm is 1000001; a whole number from 0 to 1000000 is right/);
  assert.equal((await router.split('shop')).share_ppm, 0);
  assert.ok(stateLine({ a: 1 }).startsWith('{"a":1,"sum":"'));
  await end(router, [/of its lines are refused/]);
});
