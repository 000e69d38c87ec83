// Directives with wrong values: nginx -t refuses them and says what it saw, where, and what would be right.

import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { startNginx, testConfig } from '../support/nginx.mjs';
import { startUpstream } from '../support/upstream.mjs';
import { ask } from './client.mjs';

const ZONE = 'pourover_zone name=main size=1m;';
const APP = 'upstream app { pourover zone=main; server 127.0.0.1:9; }';
const SERVER = 'server { listen 127.0.0.1:9; }';
const LONG = 'a'.repeat(65);
const MARK = '# here';

let dir;

before(() => {
  dir = mkdtempSync(path.join(tmpdir(), 'pourover-config-'));
  writeFileSync(path.join(dir, 'short'), 'seven77\n', { mode: 0o600 });
  writeFileSync(path.join(dir, 'open'), 'a secret that all may read\n', { mode: 0o644 });
});

after(() => rmSync(dir, { recursive: true, force: true }));

const check = (http) => testConfig({ http, ports: [], dir });

/** nginx -t has to refuse the lines, and to name the marked one and all of `parts` in one message. */
async function refused(lines, parts) {
  const { code, output } = await check(lines.join('\n'));
  assert.notEqual(code, 0, `accepted: ${lines.join(' ')}`);
  const line = readFileSync(path.join(dir, 'nginx.conf'), 'utf8').split('\n').findIndex((text) => text.includes(MARK)) + 1;
  const messages = output.split('\n').filter((text) => text.includes('[emerg]'));
  const wanted = [...parts, `nginx.conf:${line}`];
  assert.ok(
    messages.some((message) => wanted.every((part) => message.includes(part))),
    `of ${JSON.stringify(wanted)} something is missing in:\n${output}`,
  );
}

/** The places where a directive may stand, as lists of lines around it. */
const inHttp = (text) => [`${text} ${MARK}`];
const afterZone = (text) => [ZONE, `${text} ${MARK}`, SERVER];
const inUpstream = (text) => [ZONE, 'upstream app {', `${text} ${MARK}`, 'server 127.0.0.1:9;', '}', SERVER];
const inServer = (text) => [ZONE, APP, 'server {', 'listen 127.0.0.1:9;', `${text} ${MARK}`, '}'];
const inLocation = (text) => [ZONE, APP, 'server { listen 127.0.0.1:9; location / {', `${text} ${MARK}`, '} }'];

/** cases: [text of the directive, parts of the message...] */
function refuses(what, place, cases) {
  describe(`${what} is refused:`, () => {
    for (const [text, ...parts] of cases) {
      test(`${text.length > 90 ? `${text.slice(0, 80)}...` : text}`, () => refused(place(text.replaceAll('DIR', dir)), parts));
    }
  });
}

refuses('a wrong zone', inHttp, [
  ['pourover_zone size=8m;', 'no name', 'right is "pourover_zone name=main size=8m state=FILE;"'],
  ['pourover_zone name=main;', 'size is 0 bytes', 'at least 32768'],
  ['pourover_zone name=main size=4k;', 'size is 4096 bytes', 'at least 32768'],
  ['pourover_zone name=main size=8x;', '"8x" is no size', 'right is size=8m'],
  ['pourover_zone name=main size=-1;', '"-1" is no size'],
  ['pourover_zone name=main size=99999999999999999999m;', '"99999999999999999999m" is no size'],
  ['pourover_zone name= size=1m;', 'invalid parameter "name="', 'name=NAME size=SIZE'],
  ['pourover_zone name=main size=1m stat=x;', 'invalid parameter "stat=x"', '[state=FILE]'],
  ['pourover_zone name=main size=1m state=;', 'invalid parameter "state="', '[state=FILE]'],
  ['pourover_zone name=main size=1m state_max_age=soon;', '"soon" is no time', 'right is state_max_age=7d'],
  ['pourover_zone name=main size=1m state_max_age=0;', '"0" is no time', 'right is state_max_age=7d'],
  ['pourover_zone name=main size=1m fail_file=;', 'invalid parameter "fail_file="', '[fail_file=FILE]'],
  ['pourover_zone name=main size=1m fail_file=/nowhere/at/all/fail;', 'could never be there, "/nowhere/at/all" is no directory', 'right is the path of a file'],
  ['pourover_zone name=main size=1m fail_file=/proc/self/status/fail;', '"/proc/self/status" is no directory'],
  ['pourover_zone name=main size=1m fail_file=/tmp;', 'fail_file "/tmp" is a directory', 'right is the path of a file'],
  [`${ZONE} pourover_zone name=other size=1m;`, '"pourover_zone" directive is duplicate', 'one zone'],
  [`limit_req_zone $uri zone=main:1m rate=1r/s; ${ZONE}`, '"main" is already declared'],
]);

refuses('a wrong service', inUpstream, [
  ['pourover zone=mian;', 'service "app"', 'no zone "mian"', '"pourover_zone name=mian size=8m state=FILE;"'],
  ['pourover zone=;', 'invalid parameter "zone="', 'zone=NAME [share=SHARE] [salt=SALT] [enabled=on|off]'],
  ['pourover share=1%;', 'has no zone', 'right is zone=NAME'],
  ['pourover zone=main share=5;', '"5" has no unit', 'write 5% or 5ppm'],
  ['pourover zone=main share=0.5;', '"0.5" has no unit', 'write 0.5%'],
  ['pourover zone=main share=101%;', '"101%" is above 100%'],
  ['pourover zone=main share=1000001ppm;', '"1000001ppm" is above 100%'],
  ['pourover zone=main share=-1%;', '"-1%" is not a share', 'such as 0.1%'],
  ['pourover zone=main share=NaN;', '"NaN" is not a share', 'such as 0.1%'],
  ['pourover zone=main share=;', '"" is not a share', 'such as 0.1%'],
  ['pourover zone=main share=50,5%;', '"50,5%" is not a share'],
  ['pourover zone=main share=0.00001%;', '"0.00001%" is finer than 1ppm', '0.0001% is 1ppm'],
  ['pourover zone=main salt=;', 'salt ""', '1 to 64 characters of A-Z a-z 0-9 . _ -'],
  ['pourover zone=main salt=a/b;', 'salt "a/b"', '1 to 64 characters'],
  [`pourover zone=main salt=${LONG};`, `salt "${LONG}"`, '1 to 64 characters'],
  ['pourover zone=main enabled=yes;', 'invalid parameter "enabled=yes"', '[enabled=on|off]'],
  ['pourover zone=main events=255;', 'events "255" is no number from 256 to 1048576', 'right is events=4096'],
  ['pourover zone=main events=1048577;', 'events "1048577" is no number'],
  ['pourover zone=main events=4k;', 'events "4k" is no number'],
  ['pourover zone=main shared=1%;', 'invalid parameter "shared=1%"', '[share=SHARE]'],
  ['pourover zone=main; pourover zone=main;', '"pourover" directive is duplicate'],
]);

refuses('what pourover does not go with in an upstream block', inUpstream, [
  ['pourover zone=main; zone other 1m;', 'upstream "app"', 'remove "zone"'],
  ['pourover zone=main; least_conn;', 'upstream "app"', 'another load balancing method', 'remove it'],
  ['pourover zone=main; ip_hash;', 'upstream "app"', 'another load balancing method', 'remove it'],
  ['pourover zone=main; hash $uri;', 'upstream "app"', 'another load balancing method', 'remove it'],
  ['pourover zone=main; random;', 'upstream "app"', 'another load balancing method', 'remove it'],
  ['least_conn; pourover zone=main;', 'upstream "app"', '"pourover" must come before "keepalive"', '"least_conn"'],
  ['random; pourover zone=main;', 'upstream "app"', '"pourover" must come before', '"random"'],
  ['keepalive 8; pourover zone=main;', 'upstream "app"', '"pourover" must come before "keepalive"'],
  ['pourover zone=main; server 127.0.0.1:8 backup;', 'does not support parameter "backup"'],
  ['server 127.0.0.1:8 backup; pourover zone=main;', 'upstream "app"', '"backup" of server "127.0.0.1:8"'],
  ['pourover zone=main; server 127.0.0.1:8 max_conns=3;', 'does not support parameter "max_conns=3"'],
  ['server 127.0.0.1:8 max_conns=3; pourover zone=main;', 'upstream "app"', '"max_conns" of server "127.0.0.1:8"'],
  ['pourover zone=main; server 127.0.0.1:8 weight=1001;', 'weight of "127.0.0.1:8" is 1001', '1 to 1000'],
  ['pourover zone=main; server 127.0.0.1:8 weight=600; server 127.0.0.1:8 weight=600;', 'is 1200', '1 to 1000'],
]);

refuses('a service', afterZone, [
  ['upstream app { pourover zone=main; }', 'upstream "app" has 0 peers', 'add "server ADDRESS;" or "pourover_server ADDRESS'],
  ['upstream my+app { pourover zone=main; server 127.0.0.1:9; }', '"my+app" cannot be the salt', 'add salt='],
  ...['my app', 'a/b', '50%', 'ä'].map((name) => [`pourover_cut "${name}" zone=main salt=r1;`, `service "${name}"`, 'without spaces and / ? # %']),
  [`upstream ${LONG} { pourover zone=main; server 127.0.0.1:9; }`, `service "${LONG}"`, '1 to 64 bytes'],
  [`${APP} pourover_cut app zone=main;`, 'service "app" is there already', 'see '],
  ['pourover_cut a zone=main; pourover_cut a zone=main;', 'service "a" is there already', 'see '],
  ['pourover_cut a;', 'pourover_cut has no zone', 'right is zone=NAME'],
  ['pourover_cut a zone=other;', 'service "a"', 'no zone "other"'],
  ['pourover_cut a zone=main share=2;', 'pourover_cut: share: "2" has no unit', '2% or 2ppm'],
  ['pourover_cut a zone=main salt=ä;', 'salt "ä"', '1 to 64 characters'],
]);

refuses('a wrong peer', (text) => inUpstream(`pourover zone=main; ${text}`), [
  ['pourover_server 127.0.0.1:99999;', 'invalid port "127.0.0.1:99999"', 'right is ADDRESS:PORT'],
  ['pourover_server no.such.host.invalid:80;', 'host not found "no.such.host.invalid:80"'],
  ['pourover_server 127.0.0.1:9 resolve;', '"127.0.0.1:9" is an address', 'leave resolve out'],
  ['pourover_server unix:/run/app.sock resolve;', '"unix:/run/app.sock" is an address', 'leave resolve out'],
  ['pourover_server app:9/path resolve;', 'invalid host "app:9/path"', 'right is ADDRESS:PORT'],
  ['pourover_server app:9 resolve;', 'no resolver for "app:9"', 'write "resolver ADDRESS valid=5s;" into the http block'],
  [`pourover_server ${'a'.repeat(127)}:9 resolve;`, 'is longer than 128 bytes'],
  ['pourover_server unix:;', 'no path', '"unix:"', 'unix:PATH'],
  ['pourover_server 127.0.0.1:9/path;', 'invalid host "127.0.0.1:9/path"', 'right is ADDRESS:PORT'],
  ['pourover_server 127.0.0.1:9 track=beta;', 'invalid parameter "track=beta"', 'track=stable|canary'],
  ['pourover_server 127.0.0.1:9 weight=0;', 'invalid parameter "weight=0"', 'weight=1..1000'],
  ['pourover_server 127.0.0.1:9 weight=1001;', 'invalid parameter "weight=1001"', 'weight=1..1000'],
  ['pourover_server 127.0.0.1:9 weight=1.5;', 'invalid parameter "weight=1.5"', 'weight=1..1000'],
  ['pourover_server 127.0.0.1:9 dc=;', 'invalid parameter "dc="', 'dc=NAME of at most 32 bytes'],
  [`pourover_server 127.0.0.1:9 dc=${LONG};`, `invalid parameter "dc=${LONG}"`, 'at most 32 bytes'],
  ['pourover_server 127.0.0.1:9 backup;', 'invalid parameter "backup"', 'track=stable|canary'],
]);

refuses('a peer above its service', inUpstream, [
  ['pourover_server 127.0.0.1:9; pourover zone=main;', 'write "pourover zone=NAME;" above it'],
]);

refuses('a wrong check', (text) => inUpstream(`pourover zone=main; pourover_check ${text};`), [
  ['https', 'cannot be "https"', 'right is http, grpc or tcp'],
  ['http interval=0', 'interval "0" is no time from 1ms to 1d', 'such as 2s or 500ms'],
  ['http interval=soon', 'interval "soon" is no time'],
  ['http interval=25h', 'interval "25h" is no time from 1ms to 1d'],
  ['http interval=1s timeout=1001ms', 'timeout is 1001 ms', 'interval of 1000 ms', 'at most the interval is right'],
  ['http timeout=', 'timeout "" is no time'],
  ['http jitter=10', 'jitter "10" is no percentage from 0% to 50%', 'right is jitter=10%'],
  ['http jitter=51%', 'jitter "51%" is no percentage'],
  ['http jitter=%', 'jitter "%" is no percentage'],
  ['http rise=0', 'rise "0" is no whole number from 1 to 1000'],
  ['http fall=1001', 'fall "1001" is no whole number from 1 to 1000'],
  ['http port=0', 'port "0" is no whole number from 1 to 65535'],
  ['http port=http', 'port "http" is no whole number'],
  ['http uri=healthz', 'uri is "healthz"', 'a path that begins with "/" is right'],
  ['http "uri=/a b"', 'uri is "/a b"', 'others as %HH'],
  ['http host=', 'host is ""', '1 to 255 visible ASCII characters'],
  ['http "host=a b"', 'host is "a b"'],
  ['http method=POST', 'method cannot be "POST"', 'right is GET or HEAD'],
  ['http method=HEAD body=x', 'body asks for "x"', 'method=GET is right'],
  ['http status=2xx', 'status has "2xx"', 'such as 200,204,300-399'],
  ['http status=399-300', 'status has "399-300"'],
  ['http status=', 'status has ""'],
  ['http header=X-Version', 'header is "X-Version"', '"NAME: TEXT" is right'],
  ['http "header=X-Version:"', 'the text of header is a text of 0 bytes'],
  ['http body=', 'body is a text of 0 bytes', '1 to 1024 are right'],
  ['http send=x', 'invalid parameter "send=x"', 'http takes uri= host= method= status= header= body= interval='],
  ['http uri=/a uri=/b', 'uri= is there twice', 'once is right'],
  ['http off', 'invalid parameter "off"', 'http takes uri='],
  ['grpc uri=/', 'invalid parameter "uri=/"', 'grpc takes service= host= interval='],
  ['grpc "service=a b"', 'service is "a b"', 'visible ASCII characters'],
  ['tcp body=x', 'invalid parameter "body=x"', 'tcp takes send= expect= interval='],
  ['tcp expect=', 'expect is a text of 0 bytes'],
  ['tcp send=a\\q', 'send: "\\q" is no escape', '\\xHH'],
  ['tcp expect=\\x4', 'expect: "\\x4" is no escape'],
  ['http tls=yes', 'tls cannot be "yes"', 'on or off'],
  ['http tls_name=a', 'tls_name and tls_verify are for checks over TLS', 'add tls=on'],
  ['http tls=off tls_verify=DIR/short', 'are for checks over TLS'],
  ['http tls=on tls_verify=DIR/short', 'no name to verify', 'add tls_name=NAME'],
  ['http tls=on tls_name=a tls_verify=DIR/none', 'tls_verify cannot take', '/none"', 'in PEM'],
  ['http tls=on tls_name=a tls_verify=DIR/short', 'tls_verify cannot take', '/short"', 'in PEM'],
  ['http; pourover_check tcp', '"pourover_check" directive is duplicate'],
]);

refuses('a check', inUpstream, [
  ['pourover_check http; pourover zone=main;', 'write "pourover zone=NAME;" above it'],
  ['pourover_passive off; pourover zone=main;', 'write "pourover zone=NAME;" above it'],
  ['pourover zone=main; pourover_check tcp port=80; server unix:/run/app.sock;', '"unix:/run/app.sock" cannot be checked', 'remove port='],
]);

refuses('a wrong ejection', (text) => inUpstream(`pourover zone=main; pourover_passive ${text};`), [
  ['fails=0', 'fails "0" is no whole number from 1'],
  ['fails=many', 'fails "many" is no whole number'],
  ['eject=0', 'eject "0" is no time from 1ms to 1d'],
  ['eject=2d', 'eject "2d" is no time'],
  ['off fails=5', 'invalid parameter "off"', 'or off alone'],
  ['fail=5', 'invalid parameter "fail=5"', '[fails=N] [eject=TIME]'],
  ['off; pourover_passive off', '"pourover_passive" directive is duplicate'],
]);

refuses('a wrong visitor', (text) => inServer(`pourover_visitor ${text};`), [
  ['max_age=1y', 'no id', 'right is "pourover_visitor id=cookie:pourover_id;"'],
  ['id=', '"" is no variable', '$http_x_user_id'],
  ['id=uid', '"uid" is no variable', 'right is $NAME'],
  ['id=$', '"$" is no variable', 'right is $NAME'],
  ['id=$http_x,,cookie:a', '"" is no variable'],
  ['id=cookie:', '"" is no name of a cookie', '1 to 64 characters'],
  ['id=cookie:a=b', '"a=b" is no name of a cookie', '1 to 64 characters'],
  [`id=cookie:${LONG}`, `"${LONG}" is no name of a cookie`, '1 to 64 characters'],
  ['id=cookie:a,cookie:b', '"cookie:b" is the second cookie', 'one is the most'],
  ['id=cookie:a max_age=long', '"long" is no time', 'right is max_age=1y'],
  ['id=cookie:a max_age=0', '"0" is no time', 'right is max_age=1y'],
  ['id=cookie:a max_age=-1', '"-1" is no time', 'right is max_age=1y'],
  ['id=cookie:a domain=', '"domain=" cannot stand in a cookie', 'right is domain=example.com'],
  ['id=cookie:a "domain=a;b"', '"domain=a;b" cannot stand in a cookie', 'right is domain=example.com'],
  ['id=cookie:a "path=/a b"', '"path=/a b" cannot stand in a cookie', 'path=/'],
  ['id=cookie:a path=shop', '"path=shop" cannot stand in a cookie', 'path=/'],
  ['id=cookie:__Host-a', 'cookie "__Host-a"', 'secure=on, path=/ and no domain'],
  ['id=cookie:__Host-a secure=on path=/shop', 'cookie "__Host-a"', 'secure=on, path=/ and no domain'],
  ['id=cookie:__host-a secure=on domain=example.com', 'cookie "__host-a"', 'secure=on, path=/ and no domain'],
  ['id=cookie:__Secure-a', 'cookie "__Secure-a"', 'unless it has secure=on'],
  ['id=cookie:a samesite=Lax', 'samesite cannot be "Lax"', 'lax, strict or none'],
  ['id=cookie:a samesite=none secure=off', 'samesite=none and secure=off', 'right is secure=on'],
  ['id=cookie:a partitioned=on secure=off', 'partitioned=on and secure=off', 'right is secure=on'],
  ['id=cookie:a secure=yes', 'secure cannot be "yes"', 'auto, on or off'],
  ['id=cookie:a httponly=1', 'httponly cannot be "1"', 'on or off'],
  ['id=cookie:a partitioned=yes', 'partitioned cannot be "yes"', 'on or off'],
  ['id=cookie:a consent=yes', '"yes" is no variable', 'right is $NAME'],
  ['id=cookie:a on_login=stay', 'on_login cannot be "stay"', 'keep or switch'],
  ['id=cookie:a no_id=canary', 'no_id cannot be "canary"', 'stable or random'],
  ['id=cookie:a share_connection=yes', 'share_connection cannot be "yes"', 'auto, on or off'],
  ['id=cookie:a cache=public', 'cache cannot be "public"', 'private or keep'],
  ['id=cookie:a sign=DIR/none', 'cannot open', '/none"', 'No such file'],
  ['id=cookie:a sign=', 'has no name'],
  ['id=cookie:a sign=DIR/short', '/short" has 7 bytes', 'it must have 16 to', 'openssl rand -hex 32'],
  ['id=cookie:a ttl=1', 'invalid parameter "ttl=1"', 'it takes id= max_age='],
  ['id=cookie:a off', 'invalid parameter "off"', 'it takes id='],
  ['id=cookie:a; pourover_visitor off', '"pourover_visitor" directive is duplicate'],
]);

refuses('a wrong forced track', (text) => inLocation(`pourover_force ${text};`), [
  ['X-Release', '"X-Release" is no source', 'right is header:NAME, cookie:NAME, $VARIABLE'],
  ['header:', '"header:" is no source', 'header:NAME'],
  ['"header:X Y"', '"x y" is no name of a header', 'a token'],
  ['header:X-Pourover-Track', 'are removed', 'such as header:X-Release-Track'],
  ['header:x_pourover_track', 'are removed', 'such as header:X-Release-Track'],
  ['cookie:a=b', '"a=b" is no name of a cookie', 'a token'],
  ['$', '"$" is no variable', 'right is $NAME'],
  ['allow=10.0.0.0/8', 'no source', 'right is "pourover_force header:X-Release-Track;"'],
  ['header:X allow=', '"" is no address or network', 'right is allow=10.0.0.5,192.168.1.0/24'],
  ['header:X allow=10.0.0', '"10.0.0" is no address or network', 'right is allow='],
  ['header:X allow=10.0.0.1,10.0.0.0/33', '"10.0.0.0/33" is no address or network', 'right is allow='],
  ['header:X secret=DIR/none', 'cannot open', '/none"', 'No such file'],
  ['header:X secret=', 'has no name'],
  ['header:X secret=DIR', 'cannot read', 'Is a directory'],
  ['header:X secret=DIR/short', '/short" has 7 bytes', 'it must have 8 to'],
  ['header:X off', '"off" is no source', 'right is header:NAME'],
  ['header:X; pourover_force header:Y', '"pourover_force" directive is duplicate'],
]);

refuses('a wrong version cookie', (text) => inServer(`pourover_version_cookie ${text};`), [
  ['release', 'needs both values', 'right is "pourover_version_cookie release stable=old canary=new;"'],
  ['release stable=a canary=', 'needs both values', 'stable=old canary=new'],
  ['release stable=a canary=a', '"a" cannot be both stable and canary'],
  ['release stable=a canary=b missing=canary', 'invalid parameter "missing=canary"', '[missing=stable|cut]'],
  ['release stable=a canary=b c', 'invalid parameter "c"', 'stable=VALUE canary=VALUE'],
  ['"re lease" stable=a canary=b', '"re lease" is no name of a cookie', 'a token'],
  ['release stable=a canary=b; pourover_version_cookie off', '"pourover_version_cookie" directive is duplicate'],
]);

refuses('a wrong word about maintenance', (text) => inLocation(`pourover_maintenance ${text};`), [
  ['page=down.html', 'invalid parameter "page=down.html"', 'it takes [page=/URI|@NAME]'],
  ['on', 'invalid parameter "on"', 'or off alone'],
  ['off page=/down.html', 'invalid parameter "off"', 'or off alone'],
  ['retry_after=soon', 'retry_after "soon" is no time', 'right is retry_after=60s'],
  ['allow=office', '"office" is no address or network'],
  ['page=/a; pourover_maintenance off', '"pourover_maintenance" directive is duplicate'],
]);

const CHECKED = 'upstream checked { pourover zone=main; pourover_check tcp; server 127.0.0.1:9; }';
const CACHE = 'proxy_cache_path DIR/cache keys_zone=cache:1m;';

refuses('a health check that could not tell the truth', (text) => [CACHE.replace('DIR', dir), CHECKED, ...inLocation(text)], [
  ['pourover_healthcheck;', 'have to reach the application', 'proxy_pass or grpc_pass', 'or name the services'],
  ['pourover_healthcheck; return 200;', 'have to reach the application'],
  ['pourover_healthcheck chekced;', 'no service "chekced", did you mean "checked"?'],
  ['pourover_healthcheck nothing;', 'no service "nothing" in'],
  ['pourover_healthcheck app;', 'nobody checks the peers of service "app"', 'pourover_check http'],
  ['pourover_healthcheck checked; proxy_pass http://app;', 'answers by itself', 'leave proxy_pass'],
  ['proxy_pass http://app; pourover_healthcheck checked;', 'answers by itself', 'leave proxy_pass'],
  ['pourover_healthcheck; proxy_pass http://app; proxy_cache cache;', 'a cache would answer for the application', 'proxy_cache off;'],
  ['pourover_healthcheck; proxy_pass http://$host; proxy_cache $host;', 'a cache would answer for the application'],
  ['pourover_healthcheck checked; pourover_healthcheck checked;', '"pourover_healthcheck" directive is duplicate'],
]);

test('a health check may go without the cache of the locations around it', async () => {
  const around = [ZONE, CACHE.replace('DIR', dir), APP, 'proxy_cache cache; server { listen 127.0.0.1:9;'];
  const checks = ['location = /a { pourover_healthcheck; proxy_pass http://app; proxy_cache off; }', 'location = /b { pourover_healthcheck; grpc_pass app; }'];
  const { code, output } = await check([...around, ...checks, '}'].join('\n'));
  assert.equal(code, 0, output);
});

test('a health check needs a zone', async () => {
  const { code, output } = await check('server { listen 127.0.0.1:9; location / { pourover_healthcheck; proxy_pass http://127.0.0.1:8; } }');
  assert.notEqual(code, 0);
  assert.match(output, /pourover_healthcheck needs a zone; write "pourover_zone name=main/);
});

refuses('a wrong word about services and headers', inLocation, [
  ['pourover_service ap;', 'no service "ap"', 'did you mean "app"'],
  ['pourover_service something;', 'no service "something"', 'a service is an upstream with "pourover"'],
  ['pourover_service app; pourover_service app;', '"pourover_service" directive is duplicate'],
  ['pourover_headers yes;', 'pourover_headers cannot be "yes"', 'right is on or off'],
  ['pourover_headers pass;', 'pourover_headers cannot be "pass" here', 'for a whole server'],
  ['pourover_headers on; pourover_headers off;', '"pourover_headers" directive is duplicate'],
  ['pourover_visitor id=cookie:a;', '"pourover_visitor" directive is not allowed here'],
]);

test('a service without a stable peer is taken with a warning', async () => {
  const { code, output } = await check([ZONE, 'upstream app { pourover zone=main; pourover_server 127.0.0.1:9 track=canary; }', SERVER].join('\n'));
  assert.equal(code, 0, output);
  assert.match(output, /\[warn\].*upstream "app" has no stable peer: .*; add "server ADDRESS;" in .*nginx\.conf:\d+/);
});

test('one cookie for ids and versions is refused, wherever the two are written', async () => {
  const visitor = 'pourover_visitor id=cookie:release;';
  const { code, output } = await check([visitor, ...inServer('pourover_version_cookie release stable=a canary=b;')].join('\n'));
  assert.notEqual(code, 0);
  assert.match(output, /\[emerg\].*"release" is the cookie that pourover_visitor issues ids in; each needs a name of its own/);
});

test('a secret that every user may read is taken with a warning', async () => {
  for (const directive of ['pourover_force header:X secret=', 'pourover_visitor id=cookie:a sign=']) {
    const { code, output } = await check(inServer(`${directive}${dir}/open;`).join('\n'));
    assert.equal(code, 0, output);
    assert.match(output, /\[warn\].*every user may read the secret in ".*open"; chmod 0600 it/);
  }
});

test('fail_file may lie beside the state file, whose folder NGINX makes when it starts', async () => {
  const { code, output } = await check(['pourover_zone name=main fail_file=/nowhere/fail size=1m state=/nowhere/router.json;']);
  assert.equal(code, 0, output);
});

test('all parameters in their right forms are accepted', async () => {
  const { code, output } = await check([
    'pourover_zone name=main size=1m state_max_age=1h30m fail_file=/fail;',
    'upstream app { server 127.0.0.1:9 weight=3 max_fails=2 fail_timeout=3s; pourover zone=main share=0.0001% salt=A.b_c-9 enabled=off;',
    '  pourover_server 127.0.0.1:8 track=canary weight=1000 dc=east; pourover_server unix:/x; keepalive 8; }',
    'pourover_cut other zone=main share=250ppm;',
    'pourover_visitor id=$http_x_user,cookie:pourover_id max_age=90d domain=example.com path=/ samesite=none secure=on',
    '  httponly=off partitioned=on consent=$arg_c on_login=switch no_id=random share_connection=off cache=keep;',
    'pourover_version_cookie release stable=old canary=new missing=cut; pourover_headers pass; pourover_service app;',
    'pourover_force header:X cookie:y $arg_z allow=10.0.0.0/8,::1;',
    'server { listen 127.0.0.1:9; pourover_visitor off; pourover_version_cookie off; pourover_service other;',
    '  location / { pourover_service off; pourover_force off; pourover_headers off; } }',
  ].join('\n'));
  assert.equal(code, 0, output);
});

describe('a zone that is too small', () => {
  const SERVICES = 20;
  let upstream;
  before(async () => {
    upstream = await startUpstream();
  });
  after(() => upstream.stop());

  const http = (size) => ({ ports }) => {
    const services = Array.from({ length: SERVICES }, (_, n) => n);
    return `
      pourover_zone name=main size=${size};
      ${services.map((n) => `upstream app${n} { pourover zone=main; server ${upstream.peer}; pourover_server 127.0.0.1:9 track=canary; }`).join('\n')}
      server {
        listen 127.0.0.1:${ports.http};
        ${services.map((n) => `location /${n}/ { pourover_service app${n}; proxy_pass http://app${n}; }`).join('\n')}
      }`;
  };

  test('is refused with the size it needs, and that size serves and counts all services in all workers', async () => {
    const { code, output } = await testConfig({ http: http('64k') });
    assert.notEqual(code, 0);
    const [, needed] = /pourover_zone "main" is too small: .*; make it size=(\d+k) and restart/.exec(output) ?? [];
    assert.ok(needed, output);

    const nginx = await startNginx({ http: http(needed), workers: 2 });
    const asked = [];
    for (let round = 0; round < 6; round += 1) {
      for (let n = 0; n < SERVICES; n += 1) asked.push(ask(nginx.ports.http, `/${n}/`));
    }
    for (const answer of await Promise.all(asked)) assert.equal(answer.status, 200);
    await nginx.reload();
    for (let n = 0; n < SERVICES; n += 1) assert.equal((await ask(nginx.ports.http, `/${n}/`)).status, 200);
    await nginx.stop();
    nginx.assertCleanLog(); // a full zone would be an alert
  });
});
