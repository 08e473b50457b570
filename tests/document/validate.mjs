// Says whether the document on the standard input is OpenAPI 3.1, by the official meta-schema; node_modules is in the folder that is named.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { readFileSync } from "node:fs";

const require = createRequire(pathToFileURL(process.argv[2] + "/"));
const { Validator } = await import(pathToFileURL(require.resolve("@seriousme/openapi-schema-validator")).href);
const validator = new Validator();
const { valid, errors } = await validator.validate(JSON.parse(readFileSync(0, "utf8")));
console.log(valid ? `OpenAPI ${validator.version}` : JSON.stringify(errors, null, 1));
process.exit(valid ? 0 : 1);
