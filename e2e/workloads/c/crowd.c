/*
 * Much of one thing: code in `--mappings N` pieces of memory that lie apart, or in every library of `--libraries FOLDER`, each with an exported
 * `plugin_entry`. Runs all in turn, and rests for `--rest-ms N` (0) after each.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <sys/mman.h>

#include "machine_code.h"
#include "workload.h"

enum { PAGE = 4096 };

static code **all;
static size_t count;

FRAME static uint64_t turn(code *one, uint64_t seed)
{
	return one(seed) + 1;
}

static void add(code *one)
{
	all = realloc(all, (count + 1) * sizeof *all);
	all[count++] = one;
}

/* Every second page is not executable, so that the kernel keeps them apart. */
static void map(long mappings)
{
	unsigned char *memory = mmap(NULL, (size_t)mappings * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long i = 0; memory != MAP_FAILED && i < mappings; i += 2) {
		memcpy(memory + i * PAGE, inner, sizeof inner);
		if (mprotect(memory + i * PAGE, PAGE, PROT_READ | PROT_EXEC) != 0) {
			perror("mprotect");
			exit(1);
		}
		add((code *)(memory + i * PAGE));
	}
}

static void load(const char *folder)
{
	char path[PATH_MAX];
	DIR *list = opendir(folder);

	for (struct dirent *entry; list && (entry = readdir(list));) {
		snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
		void *handle = entry->d_name[0] == '.' ? NULL : dlopen(path, RTLD_NOW | RTLD_LOCAL);
		code *one = handle ? (code *)dlsym(handle, "plugin_entry") : NULL;

		if (one)
			add(one);
	}
}

int main(int argc, char **argv)
{
	long rest_ms = number(argc, argv, "--rest-ms", 0);
	struct timespec rest = { rest_ms / 1000, rest_ms % 1000 * 1000000 };
	uint64_t end = deadline(argc, argv);

	map(number(argc, argv, "--mappings", 0));
	if (option(argc, argv, "--libraries"))
		load(option(argc, argv, "--libraries"));
	if (count == 0)
		return 1;
	ready();
	for (size_t i = 0; before(end); i++) {
		sink += turn(all[i % count], sink);
		if (rest_ms > 0)
			nanosleep(&rest, NULL);
	}
	return 0;
}
