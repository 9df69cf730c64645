# Compiles a large C++ tree over and over: `make -C FOLDER -f tree.mk -j2`, FOLDER the unpacked crate librocksdb-sys.
CXX      := g++
CXXFLAGS := -std=c++17 -O1 -w -DROCKSDB_PLATFORM_POSIX -DROCKSDB_LIB_IO_POSIX -DOS_LINUX -DROCKSDB_SUPPORT_THREAD_LOCAL -Irocksdb -Irocksdb/include -I.
OBJECTS  := $(patsubst %.cc,objects/%.o,$(shell cat rocksdb_lib_sources.txt))

all: $(OBJECTS)

objects/%.o: rocksdb/%.cc
	@mkdir -p $(@D)
	@$(CXX) $(CXXFLAGS) -c -o $@ $<

.PHONY: all
