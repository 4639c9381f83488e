// What the scripts share: where the server is, and a line for each check. What differs throws, which
// ends the script with exit code 1.

export { default as assert } from 'node:assert/strict';

export const host = process.argv[2];
export const port = Number(process.argv[3]);

export async function check(name, body) {
  await body();
  console.log(`ok ${name}`);
}

// Resolves with the arguments of an emitter's next event of that name.
export function next(emitter, event) {
  return new Promise((resolve) => emitter.once(event, (...args) => resolve(args)));
}

// Waits for what comes later; whoever started the script bounds how long.
export async function eventually(probe) {
  while (!(await probe())) await new Promise((resolve) => setTimeout(resolve, 5));
}
