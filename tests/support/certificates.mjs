// Certificates for one test run, made by openssl: a CA of our own and what it signs, each {cert, key} (paths).

import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const NAMES = 'DNS:localhost,DNS:api.example.com,IP:127.0.0.1,IP:::1';

function openssl(dir, args) {
  execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'], timeout: 30_000 });
}

/** Makes them in `dir`. */
export function makeCertificates(dir) {
  const place = (name) => ({ cert: path.join(dir, `${name}.pem`), key: path.join(dir, `${name}.key`) });
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  openssl(dir, ['req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=pourover test CA']);
  const sign = (name, subject, names, days) => {
    openssl(dir, ['req', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', subject]);
    writeFileSync(path.join(dir, `${name}.ext`), `basicConstraints=CA:FALSE\n${names ? `subjectAltName=${names}\n` : ''}`);
    openssl(dir, [
      'x509', '-req', '-in', `${name}.csr`, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${name}.pem`, '-days', String(days),
      '-extfile', `${name}.ext`]);
    return place(name);
  };
  openssl(dir, [
    'req', '-x509', ...newKey, '-keyout', 'self.key', '-out', 'self.pem', '-days', '2', '-subj', '/CN=localhost', '-addext', `subjectAltName=${NAMES}`]);
  return {
    ca: path.join(dir, 'ca.pem'),
    good: sign('good', '/CN=localhost', NAMES, 30),
    wrongName: sign('wrong', '/CN=other.example', 'DNS:other.example', 2),
    expired: sign('expired', '/CN=localhost', NAMES, 0), // its end is its beginning
    client: sign('client', '/CN=a client', '', 2),
    self: place('self'),
  };
}

export const readPair = ({ cert, key }) => ({ cert: readFileSync(cert), key: readFileSync(key) });

export const removeCertificates = (dir) => rmSync(dir, { recursive: true, force: true });
