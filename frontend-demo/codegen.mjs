/* Writes src/generated.ts: each operation of src/ as a typed document, from the committed SDL. */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { codegen } from '@graphql-codegen/core';
import * as typescriptOperations from '@graphql-codegen/typescript-operations';
import * as typedDocumentNode from '@graphql-codegen/typed-document-node';
import { parse } from 'graphql';

const [sdlPath = new URL('../schema/schema.graphql', import.meta.url)] = process.argv.slice(2);
const source = new URL('./src/', import.meta.url);

const documents = readdirSync(source, { recursive: true })
  .filter((path) => path.endsWith('.graphql'))
  .sort()
  .map((path) => ({
    location: path,
    document: parse(readFileSync(new URL(path, source), 'utf8')),
  }));

const scalars = {
  ID: 'string',
  DateTime: 'string',
  Date: 'string',
  Milliseconds: 'number',
  SafeInt: 'number',
  Cursor: 'string',
  JSON: 'unknown',
};

const generated = await codegen({
  filename: 'src/generated.ts',
  schema: parse(readFileSync(sdlPath, 'utf8')),
  documents,
  config: { scalars, enumsAsTypes: true, skipTypename: true, strictScalars: true, useTypeImports: true },
  plugins: [{ operations: {} }, { documents: {} }],
  pluginMap: { operations: typescriptOperations, documents: typedDocumentNode },
});

writeFileSync(new URL('generated.ts', source), generated);
