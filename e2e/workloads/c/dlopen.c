/*
 * Burns in main → host_work for `--load-after` milliseconds (300), then loads a library and burns in
 * main → run_plugin → plugin_entry (libplugin.so) → plugin_leaf (libplugin.so).
 * `ready` is printed once the library runs. `--library PATH` loads another file than libplugin.so beside the program.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <limits.h>
#include <unistd.h>

#include "workload.h"

typedef uint64_t entry(uint64_t);

FRAME static uint64_t host_work(uint64_t seed)
{
	return churn(seed, 1000000);
}

FRAME static uint64_t run_plugin(entry *plugin, uint64_t seed)
{
	return plugin(seed) + 1;
}

/* libplugin.so in the folder of this program. */
static const char *beside(void)
{
	static char path[PATH_MAX + sizeof "libplugin.so"];
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);

	while (length > 0 && path[length - 1] != '/')
		length--;
	strcpy(path + (length > 0 ? length : 0), "libplugin.so");
	return path;
}

int main(int argc, char **argv)
{
	const char *library = option(argc, argv, "--library");
	uint64_t load_after = (uint64_t)number(argc, argv, "--load-after", 300) * 1000000u;
	uint64_t end = deadline(argc, argv);
	uint64_t load = clock_ns(CLOCK_MONOTONIC) + load_after;
	void *handle;
	entry *plugin;

	while (before(load))
		sink += host_work(sink);
	handle = dlopen(library ? library : beside(), RTLD_NOW);
	plugin = handle ? (entry *)dlsym(handle, "plugin_entry") : NULL;
	if (!plugin) {
		fprintf(stderr, "%s: %s\n", argv[0], dlerror());
		return 1;
	}
	sink += run_plugin(plugin, sink);
	ready();
	while (before(end))
		sink += run_plugin(plugin, sink);
	return 0;
}
