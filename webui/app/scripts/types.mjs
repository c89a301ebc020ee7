// Makes src/api/schema.d.ts of openapi.json, which a Go test keeps equal to
// what the node serves (go test ./webui -run OpenAPI -update).
import { readFileSync, writeFileSync } from 'node:fs'
import openapiTS, { astToString } from 'openapi-typescript'

const document = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))
const types = astToString(await openapiTS(document))
writeFileSync(new URL('../src/api/schema.d.ts', import.meta.url), '// Made by `npm run types` from openapi.json.\n' + types)
