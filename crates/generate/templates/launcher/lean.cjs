// Takes tools for development out of a production install: npm keeps one that another package has as an optional peer,
// with all that it needs. Run in the folder of package.json: node lean.cjs TOOL...
'use strict';
const { existsSync, readFileSync, readdirSync, rmSync } = require('node:fs');

const tools = process.argv.slice(2);
const { packages } = JSON.parse(readFileSync('node_modules/.package-lock.json', 'utf8'));

// Where Node.js finds a package from a folder: below it, or below one above it.
function find(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(at.lastIndexOf('node_modules/') - 1, 0))) {
    const path = `${at ? `${at}/` : ''}node_modules/${name}`;
    if (packages[path]) return path;
    if (!at) return undefined;
  }
}

// What a package needs when it runs; an optional peer that is there counts, unless it is one of the tools.
function needs({ dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta }) {
  const optional = (name) => peerDependenciesMeta?.[name]?.optional && tools.includes(name);
  const peers = Object.keys(peerDependencies ?? {}).filter((name) => !optional(name));
  return [...Object.keys(dependencies ?? {}), ...Object.keys(optionalDependencies ?? {}), ...peers];
}

const links = Object.values(packages).filter((it) => it.link).map((it) => it.resolved);
const left = [['', JSON.parse(readFileSync('package.json', 'utf8'))], ...links.map((path) => [path, packages[path] ?? {}])];
const kept = new Set();
while (left.length > 0) {
  const [from, manifest] = left.pop();
  for (const path of needs(manifest).map((name) => find(from, name))) {
    if (path === undefined || kept.has(path)) continue;
    kept.add(path);
    left.push([path, packages[path]]);
  }
}
for (const [path, { devOptional }] of Object.entries(packages)) {
  if (devOptional && !kept.has(path)) rmSync(path, { recursive: true, force: true });
}
const bin = 'node_modules/.bin';
for (const name of existsSync(bin) ? readdirSync(bin) : []) {
  if (!existsSync(`${bin}/${name}`)) rmSync(`${bin}/${name}`);
}
