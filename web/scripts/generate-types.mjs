// Writes the types of the three contracts to src/api/generated/. References into openapi/common/ are followed.
import { mkdir, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';

const contracts = new URL('../../openapi/', import.meta.url);
const target = new URL('../src/api/generated/', import.meta.url);

await mkdir(target, { recursive: true });
for (const service of ['registration', 'notifications', 'metering']) {
  const tree = await openapiTS(new URL(`${service}.yaml`, contracts), { alphabetize: false });
  const head = `// Made from openapi/${service}.yaml by scripts/generate-types.mjs.\n`;
  await writeFile(new URL(`${service}.ts`, target), head + astToString(tree));
}
