/** An invented host: four services in Go, Python, C and Rust over one kernel, with stacks a reader would believe. */

/** Numbers that look random and are the same each time. */
export function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
}


const MAPPINGS = [
  { file: 'vmlinux', start: 0xffff800000000000n },
  { file: '/usr/bin/cart', start: 0x400000n, buildId: '5f3a9c81d2e4b6a70912c3d4e5f60718293a4b5c' },
  { file: '/usr/bin/python3.12', start: 0x55d0c0000000n, buildId: 'c0ffee0123456789abcdef0123456789abcdef01' },
  { file: '/usr/lib/postgresql/16/bin/postgres', start: 0x5581a0000000n, buildId: '9b1c4e2f7a6d5c3b2a1908f7e6d5c4b3a2918070' },
  { file: '/usr/lib/x86_64-linux-gnu/libc.so.6', start: 0x7f1200000000n, buildId: '2b7c8d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8' },
  { file: '/opt/search/bin/searchd', start: 0x555500000000n, buildId: '7e6d5c4b3a29180706f5e4d3c2b1a09f8e7d6c5b' },
  { file: '/opt/vendor/libcodec.so', start: 0x7f3300000000n },
];

const SYSCALLS = [
  ['do_syscall_64', '__x64_sys_read', 'ksys_read', 'vfs_read', 'ext4_file_read_iter', 'filemap_read', 'copy_page_to_iter', '_copy_to_iter'],
  ['do_syscall_64', '__x64_sys_write', 'ksys_write', 'vfs_write', 'sock_write_iter', 'tcp_sendmsg', 'tcp_sendmsg_locked', 'tcp_push', 'tcp_write_xmit', '__tcp_transmit_skb', 'ip_queue_xmit', '__dev_queue_xmit'],
  ['do_syscall_64', '__x64_sys_futex', 'do_futex', 'futex_wait', 'futex_wait_queue', 'schedule', '__schedule', 'finish_task_switch.isra.0'],
  ['do_syscall_64', '__x64_sys_epoll_wait', 'do_epoll_wait', 'ep_poll', 'schedule_hrtimeout_range', 'schedule', '__schedule'],
  ['asm_exc_page_fault', 'exc_page_fault', 'do_user_addr_fault', 'handle_mm_fault', '__handle_mm_fault', 'do_anonymous_page', 'clear_page_erms'],
];

const SERVICES = {
  cart: {
    share: 0.41, user: 'www-data', unit: 'cart.service', mapping: 1, ext: 'go',
    roots: [['runtime.goexit', 'net/http.(*conn).serve', 'net/http.serverHandler.ServeHTTP', 'net/http.(*ServeMux).ServeHTTP', 'github.com/acme/shop/cart.(*Server).ServeHTTP'],
      ['runtime.goexit', 'runtime.gcBgMarkWorker', 'runtime.systemstack', 'runtime.gcBgMarkWorker.func2', 'runtime.gcDrain']],
    pieces: ['github.com/acme/shop/cart.(*Server).Checkout', 'github.com/acme/shop/cart.(*Cart).Total', 'github.com/acme/shop/pricing.Discount', 'encoding/json.(*Decoder).Decode',
      'encoding/json.(*decodeState).object', 'encoding/json.Marshal', 'reflect.Value.Call', 'database/sql.(*DB).QueryContext', 'github.com/jackc/pgx/v5.(*Conn).Query',
      'github.com/jackc/pgx/v5/internal/stmtcache.(*LRUCache).Get', 'go.opentelemetry.io/otel/sdk/trace.(*tracer).Start', 'sync.(*Pool).Get', 'runtime.mallocgc', 'runtime.scanobject', 'runtime.growslice',
      'compress/flate.(*compressor).deflate', 'crypto/tls.(*Conn).Write', 'bufio.(*Writer).Flush', 'strconv.AppendFloat', 'runtime.mapaccess2_faststr'],
  },
  recommender: {
    share: 0.24, user: 'www-data', unit: 'recommender.service', mapping: 2, ext: 'py',
    roots: [['_start', '__libc_start_main', 'Py_BytesMain', 'pymain_run_python', '<module>', 'serve_forever', 'handle_request']],
    pieces: ['recommend', 'Model.predict', 'numpy.dot', 'pandas.core.frame.DataFrame.merge', 'json.dumps', 'Session.execute', 'Query.all', 'urllib3.connectionpool.urlopen', 'score_items', 'rank', 'normalize', 'Cache.get',
      'pickle.loads', 'logging.Logger.info', 'asyncio.base_events.run_once', 'features.build', 'features.window', 'tokenize'],
  },
  postgres: {
    share: 0.2, user: 'postgres', unit: 'postgresql@16-main.service', mapping: 3, ext: 'c',
    roots: [['_start', '__libc_start_main', 'main', 'PostmasterMain', 'ServerLoop', 'BackendStartup', 'PostgresMain', 'exec_simple_query']],
    pieces: ['PortalRun', 'standard_ExecutorRun', 'ExecHashJoin', 'ExecSeqScan', 'heap_getnextslot', 'heapgettup_pagemode', 'ReadBufferExtended', 'BufTableLookup', 'hash_search_with_hash_value', 'slot_deform_heap_tuple', 'ExecInterpExpr',
      'pg_parse_query', 'raw_parser', 'planner', 'subquery_planner', 'index_getnext_tid', '_bt_search', '_bt_compare', 'LWLockAcquire', 'XLogInsert', 'palloc', 'AllocSetAlloc'],
  },
  searchd: {
    share: 0.12, user: 'search', unit: 'searchd.service', mapping: 5, ext: 'rs',
    roots: [['__clone3', 'start_thread', 'std::sys::pal::unix::thread::Thread::new::thread_start', 'tokio::runtime::scheduler::multi_thread::worker::run', 'searchd::server::handle']],
    pieces: ['searchd::query::parse', 'searchd::index::Segment::search', 'searchd::index::posting::PostingIterator<u32>::advance', 'tantivy::collector::top_score_collector::TopDocs::collect',
      'hashbrown::raw::RawTable<(alloc::string::String, u64)>::reserve_rehash', 'alloc::vec::Vec<T,A>::extend_from_slice', 'core::slice::sort::unstable::quicksort', 'lz4_flex::block::decompress_into', 'serde_json::ser::to_string',
      'std::collections::hash::map::HashMap<K,V,S>::get', 'core::str::converts::from_utf8', 'bytes::bytes_mut::BytesMut::reserve_inner'],
  },
  kernel: { share: 0.03, user: 'root', unit: '', mapping: 0, ext: '', roots: [['ret_from_fork', 'kthread', 'worker_thread', 'process_one_work']],
    pieces: ['wb_workfn', 'writeback_sb_inodes', 'ext4_do_writepages', 'blk_mq_run_work_fn', 'kcompactd', 'rcu_gp_kthread', 'drain_local_pages_wq', 'vmstat_update'] },
};

export const NAMES = Object.keys(SERVICES);

/** Labels of each service. */
export const SERIES = NAMES.map((name) => ({
  service_name: name, user: SERVICES[name].user, systemd_unit: SERVICES[name].unit, container_id: name === 'cart' ? '4f1d2a9b8c7e' : '', cgroup: `/system.slice/${SERVICES[name].unit}`,
})).map((labels) => Object.fromEntries(Object.entries(labels).filter(([, v]) => v !== '')));

/** Cores of a service at a time, ms. */
export function coresAt(name, at) {
  const { share } = SERVICES[name];
  const t = at / 1000;
  const wave = 1 + 0.25 * Math.sin(t / 400 + share * 20) + 0.12 * Math.sin(t / 61 + share * 7);
  const noise = dice(Math.floor(t / 15) + share * 1000)() * 0.3 - 0.15;
  const burst = name === 'recommender' && t % 900 < 140 ? 1.6 : 1;
  return Math.max(0.005, 3.2 * share * (wave + noise) * burst);
}

/**
 * A profile of some services with about `stacks` distinct stacks, weighed to `total` nanoseconds.
 * @param {string[]} services
 * @param {number} stacks
 * @param {number} total
 * @param {number} [seed]
 */
export function makeProfile(services, stacks, total, seed = 1) {
  const roll = dice(seed);
  const functions = [];
  const locations = [];
  const known = new Map();
  const location = (mapping, name, file, line) => {
    const key = `${mapping}|${name}|${line}`;
    if (known.has(key)) return known.get(key);
    const made = locations.length;
    if (name === '') locations.push({ mapping, address: (MAPPINGS[mapping].start ?? 0n) + BigInt(line), lines: [] });
    else {
      const fnKey = `f|${mapping}|${name}`;
      if (!known.has(fnKey)) {
        known.set(fnKey, functions.length);
        functions.push({ name, file });
      }
      locations.push({ mapping, address: (MAPPINGS[mapping].start ?? 0n) + BigInt(0x1000 + made * 16), lines: [[known.get(fnKey), line]] });
    }
    known.set(key, made);
    return made;
  };
  const samples = [];
  const shares = services.reduce((sum, s) => sum + SERVICES[s].share, 0);
  for (const service of services) {
    const { share, mapping, ext, roots, pieces } = SERVICES[service];
    const count = Math.max(1, Math.round((stacks * share) / shares));
    const weights = [];
    const made = [];
    for (let i = 0; i < count; i += 1) {
      const stack = [];
      const root = roots[roll() < 0.85 ? 0 : roots.length - 1];
      root.forEach((name, d) => stack.push(location(mapping, name, fileOf(service, name, ext), 100 + d)));
      const depth = 3 + Math.floor(roll() * roll() * 22);
      let at = Math.floor(roll() ** 2 * 4);
      for (let d = 0; d < depth; d += 1) {
        const variant = count > 3000 && roll() < 0.3 ? `.func${1 + Math.floor(roll() * 12)}` : '';
        const name = pieces[at] + (ext === 'go' ? variant : ext === 'rs' && variant ? `::{{closure}}` : variant.replace('.', '_'));
        stack.push(location(mapping, name, fileOf(service, pieces[at], ext), 40 + ((at * 37 + d) % 400)));
        // A function calls a few others, one of them most of the time.
        at = (at * 3 + 1 + Math.floor(roll() ** (stacks > 5000 ? 2 : 4) * 4)) % pieces.length;
      }
      if (service === 'recommender' && roll() < 0.16) for (let d = 0; d < 2; d += 1) stack.push(location(6, '', '', 0x4000 + Math.floor(roll() * 40) * 0x30));
      if (service !== 'kernel' && roll() < 0.3) {
        const call = SYSCALLS[Math.floor(roll() * SYSCALLS.length)];
        const upTo = 3 + Math.floor(roll() * (call.length - 2));
        if (ext !== 'go' && ext !== 'py') stack.push(location(4, call[1].includes('read') ? 'read' : call[1].includes('write') ? '__libc_write' : 'syscall', '', 0));
        call.slice(0, upTo).forEach((name) => stack.push(location(0, name, '', 0)));
      }
      made.push(stack.reverse());
      weights.push(roll() ** 3 + 0.02);
    }
    const sum = weights.reduce((a, b) => a + b, 0);
    made.forEach((stack, i) => samples.push({ stack, value: Math.max(1, Math.round((weights[i] / sum) * total * (share / shares))) }));
  }
  return { mappings: MAPPINGS, functions, locations, samples };
}

function fileOf(service, name, ext) {
  if (ext === '') return '';
  if (ext === 'go') {
    const path = name.slice(0, name.indexOf('.', name.lastIndexOf('/') + 1));
    return name.startsWith('github.com') || name.startsWith('go.') ? `/src/${path}/${path.slice(path.lastIndexOf('/') + 1)}.go` : `/usr/local/go/src/${path}/${path.slice(path.lastIndexOf('/') + 1)}.go`;
  }
  if (ext === 'py') return ['_start', '__libc_start_main', 'Py_BytesMain', 'pymain_run_python'].includes(name) ? '' : `/opt/recommender/${name.split('.')[0].toLowerCase().replaceAll(/[<>]/g, '')}.py`;
  if (ext === 'rs') return name.startsWith('searchd') ? `/build/searchd/src/${name.split('::')[1]}.rs` : '';
  return name.startsWith('_') || name === 'main' ? '' : `/build/postgresql-16.4/src/backend/${name.toLowerCase().slice(0, 6)}.c`;
}
