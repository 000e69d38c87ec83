// Reflection that misbehaves: REFLECTIONS[kind](stream, version, files) answers a call of ServerReflectionInfo of v1 or v1alpha.

import { requirePackage } from './child-server.mjs';
import { DescriptorFiles, answerReflection, reflectionService } from './grpc-reflection.mjs';
import { grpcFrame } from './evil-wire.mjs';

const { FileDescriptorProto } = requirePackage('protobufjs/ext/descriptor');
const TYPES = { v1: reflectionService('v1'), v1alpha: reflectionService('v1alpha') };
const UNIMPLEMENTED = 12;
const UNAVAILABLE = 14;

/** Answers each request by change(answer, request), which may be null: then none comes. */
async function converse(s, version, files, change = (answer) => answer) {
  const { request: type, response } = TYPES[version];
  s.sendHeaders();
  for (;;) {
    const bytes = await s.message();
    if (bytes === null) break;
    const request = type.decode(bytes);
    const answer = change(answerReflection(files, request), request);
    if (answer) s.sendData(grpcFrame(Buffer.from(response.encode(response.fromObject(answer)).finish())));
  }
  s.sendTrailers(0);
}

/** Changes the list of files in answers that have one. */
const withFiles = (change) => (s, version, files) => converse(s, version, files, (answer, request) => {
  if (answer.fileDescriptorResponse) answer.fileDescriptorResponse.fileDescriptorProto = change(answer.fileDescriptorResponse.fileDescriptorProto, request, files);
  return answer;
});

/** v1 does this, v1alpha is right. */
const v1 = (play) => (s, version, files) => (version === 'v1' ? play(s) : converse(s, version, files));

const error = (code, message) => (answer, request) => ({
  validHost: request.host, originalRequest: request, errorResponse: { errorCode: code, errorMessage: message } });

export const REFLECTIONS = {
  right: (s, version, files) => converse(s, version, files),
  unimplementedTrailersOnly: v1((s) => s.sendTrailersOnly(UNIMPLEMENTED, 'unknown service')),
  unimplementedInTrailers: v1((s) => {
    s.sendHeaders();
    s.sendTrailers(UNIMPLEMENTED, [['grpc-message', 'unknown service']]);
  }),
  unimplementedHttp404: v1((s) => s.sendHeaders([], { status: 404, type: 'text/plain', end: true })),
  unavailable: v1((s) => s.sendTrailersOnly(UNAVAILABLE, 'no such upstream')),
  none: (s) => s.sendTrailersOnly(UNIMPLEMENTED, 'unknown service'),
  reversed: withFiles((list) => list.reverse()),
  duplicates: withFiles((list) => [...list, ...list, list[0]]),
  oneByOne: withFiles((list) => [list[0]]),
  missingImport: (s, version, files) => converse(s, version, files, (answer, request) => {
    if (request.fileByFilename === 'reflected/deep.proto') return error(5, 'file not found: reflected/deep.proto')(answer, request);
    if (answer.fileDescriptorResponse) answer.fileDescriptorResponse.fileDescriptorProto.splice(1);
    return answer;
  }),
  stale: withFiles((list) => list.map((bytes) => Buffer.from(bytes.toString('latin1').replace('Say', 'Old'), 'latin1'))),
  garbage: withFiles(() => [Buffer.from('no descriptor at all')]),
  cycle: withFiles((list) => list.map((bytes) => {
    const file = FileDescriptorProto.decode(bytes);
    if (file.name !== 'reflected/deep.proto') return bytes;
    file.dependency = ['reflected/service.proto'];
    return Buffer.from(FileDescriptorProto.encode(file).finish());
  })),
  errorResponse: (s, version, files) => converse(s, version, files, error(13, 'the index is broken')),
  otherAnswer: (s, version, files) => converse(s, version, files, (answer, request) => ({
    validHost: '', originalRequest: request, listServicesResponse: { service: [{ name: 'not.asked.For' }] } })),
  emptyAnswer: (s, version, files) => converse(s, version, files, () => ({})),
  ends: (s) => {
    s.sendHeaders();
    s.sendTrailers(0);
  },
  hangs: (s, version, files) => converse(s, version, files, () => null),
};

/** The reflected files, out of a descriptor set. */
export const reflectedFiles = (set) => new DescriptorFiles(set);
