/*
 * A unit with much debug information: containers of many types, each with its templates and its inlined calls. The name `unit_0000` is
 * replaced in the object file by another of its length, so that each copy has names of its own.
 */
#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <unordered_map>
#include <vector>

#include "large.h"

namespace unit_0000 {

template <int N> struct Key {
	uint64_t value;
	bool operator<(const Key &other) const { return value * (N + 3) < other.value * (N + 3); }
};

template <int N> struct Record {
	std::string name;
	std::vector<Key<N>> keys;
	std::unique_ptr<Record> next;
};

/* Inlined into its callers: only debug information knows it. */
template <int N> static inline __attribute__((always_inline)) uint64_t spin_inlined(uint64_t seed)
{
	return churn(seed, 20000) + N;
}

template <int N> __attribute__((noinline)) uint64_t look_up(uint64_t seed)
{
	static std::map<Key<N>, Record<N>> ordered;
	static std::unordered_map<std::string, std::vector<Record<N>>> hashed;
	Key<N> key{ seed % 16 };
	Record<N> &record = ordered[key];
	if (record.keys.size() < 8) {
		record.keys.push_back(key);
		std::sort(record.keys.begin(), record.keys.end());
		hashed[std::to_string(key.value)].emplace_back();
	}
	auto sum = [](uint64_t sum, const Key<N> &key) { return sum + key.value; };
	return std::accumulate(record.keys.begin(), record.keys.end(), seed, sum);
}

template <int N> uint64_t visit(uint64_t seed, long depth)
{
	std::function<uint64_t(uint64_t)> look = look_up<N>;
	if (depth == 0)
		return spin_inlined<N>(seed);
	return go_on(look(seed), depth) + look(seed >> 1);
}

template <int... N> static void enlist_all(std::integer_sequence<int, N...>)
{
	static work *const functions[] = { visit<N>... };
	enlist(functions, sizeof...(N));
}

__attribute__((constructor)) static void enlist_unit()
{
	enlist_all(std::make_integer_sequence<int, 16>());
}

}
