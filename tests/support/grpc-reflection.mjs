// gRPC server reflection for a grpc-js server, made of a descriptor set (`protoc --include_imports`).

import { readFileSync } from 'node:fs';
import { requirePackage } from './child-server.mjs';

const protobuf = requirePackage('protobufjs');
const { FileDescriptorSet } = requirePackage('protobufjs/ext/descriptor');
const SOURCE = readFileSync(new URL('../interop/reflection.proto', import.meta.url), 'utf8');
const NOT_FOUND = 5;

/** The types and the gRPC definition of a version, 'v1' or 'v1alpha'. */
export function reflectionService(version) {
  const name = `grpc.reflection.${version}`;
  const { root } = protobuf.parse(SOURCE.replace('package grpc.reflection.v1;', `package ${name};`));
  const request = root.lookupType(`${name}.ServerReflectionRequest`);
  const response = root.lookupType(`${name}.ServerReflectionResponse`);
  const definition = {
    ServerReflectionInfo: {
      path: `/${name}.ServerReflection/ServerReflectionInfo`,
      requestStream: true,
      responseStream: true,
      requestDeserialize: (bytes) => request.decode(bytes),
      responseSerialize: (reply) => Buffer.from(response.encode(response.fromObject(reply)).finish()),
      requestSerialize: (message) => Buffer.from(request.encode(request.fromObject(message)).finish()),
      responseDeserialize: (bytes) => response.decode(bytes),
    },
  };
  return { name: `${name}.ServerReflection`, definition, request, response };
}

/** The files of a descriptor set as `bytes` each, by name and by the symbols that they define. */
export class DescriptorFiles {
  byName = new Map();
  bySymbol = new Map();
  services = [];

  constructor(setBytes) {
    const set = FileDescriptorSet.decode(setBytes);
    const bytes = splitSet(setBytes);
    set.file.forEach((file, i) => this.#add(file, { name: file.name, imports: file.dependency ?? [], bytes: bytes[i] }));
  }

  #add(file, entry) {
    this.byName.set(file.name, entry);
    const prefix = file.package ? `${file.package}.` : '';
    for (const each of file.enumType ?? []) this.bySymbol.set(prefix + each.name, entry);
    for (const service of file.service ?? []) {
      this.services.push(prefix + service.name);
      this.bySymbol.set(prefix + service.name, entry);
      for (const method of service.method ?? []) this.bySymbol.set(`${prefix}${service.name}.${method.name}`, entry);
    }
    this.#addMessages(file.messageType, prefix, entry);
  }

  #addMessages(messages, prefix, entry) {
    for (const message of messages ?? []) {
      this.bySymbol.set(prefix + message.name, entry);
      for (const each of message.enumType ?? []) this.bySymbol.set(`${prefix}${message.name}.${each.name}`, entry);
      this.#addMessages(message.nestedType, `${prefix}${message.name}.`, entry);
    }
  }

  /** A file and all that it imports, each once. */
  withImports(entry) {
    const found = [entry];
    for (const each of found) {
      for (const name of each.imports) {
        const file = this.byName.get(name);
        if (file && !found.includes(file)) found.push(file);
      }
    }
    return found;
  }
}

/** The bytes of each file as they stand in the set: to write them anew would lose options that protobufjs does not know. */
export function splitSet(bytes) {
  const reader = protobuf.Reader.create(bytes);
  const files = [];
  while (reader.pos < reader.len) {
    const tag = reader.uint32();
    if (tag === 10) files.push(Buffer.from(reader.bytes()));
    else reader.skipType(tag & 7);
  }
  return files;
}

/** What a right server answers to one request. */
export function answerReflection(files, request, more = []) {
  const answer = { validHost: request.host, originalRequest: request };
  const found = { fileByFilename: files.byName, fileContainingSymbol: files.bySymbol }[request.messageRequest]
    ?.get(request[request.messageRequest]);
  if (request.messageRequest === 'listServices') {
    answer.listServicesResponse = { service: [...files.services, ...more].map((name) => ({ name })) };
  } else if (found) {
    answer.fileDescriptorResponse = { fileDescriptorProto: files.withImports(found).map((file) => file.bytes) };
  } else {
    answer.errorResponse = { errorCode: NOT_FOUND, errorMessage: `no ${request.messageRequest} "${request[request.messageRequest]}"` };
  }
  return answer;
}

/** Adds reflection to a grpc-js server. */
export function addReflection(server, setBytes, versions = ['v1', 'v1alpha']) {
  const files = new DescriptorFiles(setBytes);
  const services = versions.map((version) => reflectionService(version));
  for (const { definition } of services) {
    server.addService(definition, {
      ServerReflectionInfo: (call) => {
        call.on('data', (request) => call.write(answerReflection(files, request, services.map(({ name }) => name))));
        call.on('end', () => call.end());
      },
    });
  }
}
