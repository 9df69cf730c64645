/** pprof in, frames, trees and tables out. */

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { writeProfile } from '../pprof.mjs';
import { dice, makeProfile } from '../workload.mjs';

const ui = '../../../crates/web/ui/js/';
const { decode } = await import(`${ui}profile/pprof.js`);
const { buildTree, plainShape } = await import(`${ui}profile/tree.js`);
const { matchedValue, totalsOf } = await import(`${ui}profile/table.js`);
const { KINDS, cutsOf } = await import(`${ui}profile/kinds.js`);
const { carried, idOf, nextMatch, nodeOf, sideways } = await import(`${ui}flame/walk.js`);

/** A profile from lines of text: `a;b;c 3`, root first. A name may carry its file: `main@main.go`. */
function profile(text, change = {}) {
  const functions = [];
  const locations = [];
  const index = new Map();
  const samples = text.trim().split('\n').map((line) => {
    const [, stack, value] = /^\s*(.*) (\d+)$/.exec(line);
    const ids = stack.split(';').map((name) => {
      if (!index.has(name)) {
        index.set(name, functions.length);
        const [fn, file = ''] = name.split('@');
        functions.push({ name: fn, file });
        locations.push({ mapping: 0, address: 0x1000n, lines: [[functions.length - 1, functions.length]] });
      }
      return index.get(name);
    });
    return { stack: ids.reverse(), value: Number(value) };
  });
  return { mappings: [{ file: '/usr/bin/app', start: 0x1000n, buildId: 'abc' }], functions, locations, samples, ...change };
}

const read = (text, change) => decode(new Uint8Array(writeProfile(profile(text, change))));

/** A tree as indented text: name, total, self. */
function drawn({ frames }, tree) {
  const lines = [];
  for (let i = 1; i < tree.count; i += 1) lines.push(`${'  '.repeat(tree.depth[i] - 1)}${frames.name[tree.frame[i]]} ${tree.total[i]} ${tree.self[i]} @${tree.x[i]}`);
  return lines.join('\n');
}

const tree = (p, shape = {}) => buildTree(p.frames, p.stacks, { ...plainShape(), ...shape });

/** A set of frames by name. */
const set = (p, ...names) => Uint8Array.from(p.frames.name, (name) => (names.includes(name) ? 1 : 0));

test('equal stacks are added up and siblings stand by name', () => {
  const p = read('a;c 2\na;b;e 1\na;c;d 1\na;c 4');
  assert.equal(drawn(p, tree(p)), 'a 8 0 @0\n  b 1 0 @0\n    e 1 1 @0\n  c 7 6 @1\n    d 1 1 @1');
});

test('a frame knows its file, module, build id and kind', () => {
  const p = decode(new Uint8Array(writeProfile({
    mappings: [{ file: '[kernel.kallsyms]', start: 0xffffffff81000000n }, { file: '/usr/bin/app', start: 0x400000n, offset: 0x1000n, buildId: 'f00d' }, { file: 'vmlinux', start: 0xffff800000000000n }],
    functions: [{ name: 'schedule', file: '' }, { name: 'main.run', file: '/src/main.go' }, { name: 'handler', file: '/app/views.py' }, { name: 'memcpy', file: '' }],
    locations: [
      { mapping: 0, lines: [[0, 0]] }, { mapping: 1, lines: [[1, 12]] }, { mapping: 1, lines: [[2, 3]] }, { mapping: 1, lines: [[3, 0]] }, { mapping: 1, address: 0x400123n, lines: [] },
      { address: 0x77n, lines: [] }, { mapping: 2, address: 0xffff800000000010n, lines: [] },
    ],
    samples: [{ stack: [0, 1, 2, 3, 4, 5, 6], value: 1 }],
  })));
  const all = Array.from({ length: p.frames.count }, (_, i) => `${p.frames.name[i]} ${KINDS[p.frames.kind[i]].id} ${p.frames.module[i]} ${p.frames.buildId[i]}`.trim());
  assert.deepEqual(all, [
    'schedule kernel [kernel.kallsyms]', 'main.run go /usr/bin/app f00d', 'handler python /usr/bin/app f00d', 'memcpy native /usr/bin/app f00d', 'app+0x1123 unknown /usr/bin/app f00d', '0x77 unknown',
    'vmlinux 0xffff800000000010 kernel vmlinux',
  ]);
});

test('inlined functions are spelled out, the caller above', () => {
  const p = read('x 1', { functions: [{ name: 'inner', file: '' }, { name: 'outer', file: '' }], locations: [{ mapping: 0, lines: [[0, 5], [1, 9]] }], samples: [{ stack: [0], value: 1 }] });
  assert.equal(drawn(p, tree(p)), 'outer 1 0 @0\n  inner 1 1 @0');
});

test('lines of one function gather on its node', () => {
  const p = read('x 1', { functions: [{ name: 'f', file: 'f.c' }], locations: [{ mapping: 0, lines: [[0, 12]] }, { mapping: 0, lines: [[0, 40]] }], samples: [{ stack: [0], value: 1 }, { stack: [1], value: 1 }] });
  const t = tree(p);
  assert.deepEqual([t.count, t.lineMin[1], t.lineMax[1]], [2, 12, 40]);
});

test('a frame left out gives its value to its caller', () => {
  const p = read('a;b;c 3\na;b 1');
  assert.equal(drawn(p, tree(p, { skip: set(p, 'b') })), 'a 4 1 @0\n  c 3 3 @0');
});

test('focus begins every stack at the outermost call', () => {
  const p = read('a;f;b 1\nc;f;f;d 2\ne 9');
  assert.equal(drawn(p, tree(p, { from: set(p, 'f') })), 'f 3 0 @0\n  b 1 1 @0\n  f 2 0 @1\n    d 2 2 @1');
});

test('callers stand nearest first', () => {
  const p = read('a;b;f;x 1\na;c;f 2');
  assert.equal(drawn(p, tree(p, { from: set(p, 'f'), callers: true })), 'f 3 0 @0\n  b 1 0 @0\n    a 1 1 @0\n  c 2 0 @1\n    a 2 2 @1');
});

test('only keeps stacks that hold the function', () => {
  const p = read('a;b 1\na;c 2');
  assert.equal(drawn(p, tree(p, { needs: [set(p, 'c')] })), 'a 2 0 @0\n  c 2 2 @0');
});

test('collapsed recursion is one frame', () => {
  const p = read('a;r;r;r;b 1\na;r 1');
  assert.equal(drawn(p, tree(p, { collapse: true })), 'a 2 0 @0\n  r 2 1 @0\n    b 1 1 @0');
});

test('the table counts recursion once and follows the zoom', () => {
  const p = read('a;r;r;b 1\na;r 2\nb 4');
  const t = tree(p);
  const rows = (from) => {
    const { frame, self, total } = totalsOf(t, p.frames.count, from);
    return [...frame].map((f) => `${p.frames.name[f]} ${self[f]} ${total[f]}`).sort();
  };
  assert.deepEqual(rows(0), ['a 0 3', 'b 5 5', 'r 2 3']);
  assert.deepEqual(rows(1), ['a 0 3', 'b 1 1', 'r 2 3']);
});

test('what a search matches is counted once a stack', () => {
  const p = read('a;m;m 2\na;x;m 3\na 5');
  assert.deepEqual(matchedValue(tree(p), set(p, 'm'), 0), { value: 5, nodes: 3 });
});

test('a path is found again in the next profile, or as much of it as is left', () => {
  const [p, q] = [read('a;b;c 1\nz 1'), read('0 5\na;b;d 9')];
  const [t, u] = [tree(p), tree(q)];
  const c = nextMatch(t, set(p, 'c'), 0, -1, 1);
  assert.equal(nodeOf(t, idOf(t, c)), c);
  assert.equal(q.frames.name[u.frame[carried(t, c, u)]], 'b');
  assert.equal(nodeOf(u, idOf(t, c)), -1);
});

test('matches are walked round and round, rows sideways', () => {
  const p = read('a;m 1\nb;m 1\nc 1');
  const t = tree(p);
  const m = set(p, 'm');
  const first = nextMatch(t, m, 0, -1, 1);
  const second = nextMatch(t, m, 0, first, 1);
  assert.equal(nextMatch(t, m, 0, second, 1), first);
  assert.equal(nextMatch(t, m, 0, first, -1), second);
  assert.equal(sideways(t, first, 1), second);
  assert.equal(sideways(t, second, -1), first);
});

test('every tree adds up', () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const p = decode(new Uint8Array(writeProfile(makeProfile(['cart', 'postgres', 'kernel'], 5 + seed * 7, 1e9 * seed, seed))));
    const roll = dice(seed);
    const skip = Uint8Array.from(p.frames.name, () => (roll() < 0.2 ? 1 : 0));
    for (const t of [tree(p), tree(p, { skip }), tree(p, { collapse: true })]) {
      const sum = p.stacks.value.reduce((a, b) => a + b, 0);
      assert.equal(t.total[0], sum);
      for (let i = 0; i < t.count; i += 1) {
        let inner = t.self[i];
        for (let c = i + 1; c < t.end[i]; c = t.end[c]) {
          assert.equal(t.parent[c], i);
          assert.equal(t.x[c], t.x[i] + inner - t.self[i]);
          inner += t.total[c];
        }
        assert.equal(inner, t.total[i]);
      }
    }
  }
});

test('a cut or damaged profile is an error, never a hang or a wrong reading past its end', () => {
  const bytes = new Uint8Array(writeProfile(makeProfile(['cart'], 12, 1e9)));
  const known = /profile ends in the middle|longer than ten bytes|unknown wire type/;
  let refused = 0;
  for (let end = 0; end < bytes.length; end += 7) {
    try { decode(bytes.subarray(0, end)); } catch (error) { assert.match(error.message, known); refused += 1; }
  }
  assert.ok(refused > bytes.length / 20, `${refused} of the cuts were noticed`);
  const roll = dice(9);
  for (let turn = 0; turn < 300; turn += 1) {
    const damaged = bytes.slice();
    for (let k = 0; k < 4; k += 1) damaged[Math.floor(roll() * damaged.length)] = Math.floor(roll() * 256);
    try { decode(damaged); } catch (error) { assert.match(error.message, known); }
  }
});

test('ids of locations may be any numbers, in any order', () => {
  const p = profile('a;b 1\na;c 2');
  const ids = [7, 900_000, 3];
  const write = { ...p, locations: p.locations.map((l, i) => ({ ...l, id: ids[i] })), samples: p.samples.map((s) => ({ ...s, stack: s.stack.map((l) => ids[l] - 1) })) };
  const read = decode(new Uint8Array(writeProfile(write)));
  assert.equal(drawn(read, tree(read)), 'a 3 0 @0\n  b 1 1 @0\n  c 2 2 @1');
});

test('an empty profile is no stacks', () => {
  const p = decode(new Uint8Array());
  assert.deepEqual([p.stacks.count, p.frames.count, tree(p).count], [0, 0, 1]);
});

test('kinds are told from address, file, and how runtimes name compiled code', async () => {
  const { kindOf } = await import(`${ui}profile/kinds.js`);
  const check = (expected, ...facts) => assert.equal(KINDS[kindOf(...facts)].id, expected, facts.join());
  check('kernel', 'vfs_read', '', 'vmlinux', 0xffff8000, true);
  check('native', 'main', '', '/usr/bin/app', 0x7fff, true);
  check('native', 'run', '/src/lib.rs', '', 0, true);
  check('go', 'main.main', '/src/main.go', '', 0, true);
  check('python', 'py::handler:/app/views.py', '', '', 0, true);
  check('javascript', 'LazyCompile:~render /app/page.js:12', '', '', 0, true);
  check('jvm', 'Lcom/acme/Cart;::total', '', '', 0, true);
  check('unknown', 'app+0x10', '', '/usr/bin/app', 0, false);
  check('merged', 'other', '', '', 0, true);
});

test('names are cut before the path, never inside the function', () => {
  const check = (name, kind, expected) => assert.equal(name.slice(cutsOf(name, KINDS.findIndex((k) => k.id === kind)).at(-1) ?? 0), expected);
  check('github.com/acme/shop/cart.(*Server).Checkout', 'go', '(*Server).Checkout');
  check('runtime.gcBgMarkWorker.func2', 'go', 'gcBgMarkWorker.func2');
  check('std::vector<std::pair<int, a::b>>::push_back(int const&)', 'native', 'push_back(int const&)');
  check('<alloc::vec::Vec<T> as core::ops::Drop>::drop', 'native', 'drop');
  check('(anonymous namespace)::run()', 'native', 'run()');
  check('memcpy', 'native', 'memcpy');
  check('__x64_sys_read.isra.0', 'kernel', '__x64_sys_read.isra.0');
  check('pandas.core.frame.DataFrame.merge', 'python', 'merge');
});
