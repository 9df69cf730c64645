// main → turn → heavy → Thrower<3>::down → Thrower<2>::down → Thrower<1>::down → Late::~Late → leaf, while an exception passes through the
// last of these; turn → light → leaf in a handler; turn → leaf. tree.h has the shares.
#include <cstdint>
#include <stdexcept>

extern "C" {
#include "../c/tree.h"
}

namespace {

// Does its work when the stack is unwound.
struct Late {
	FRAME ~Late()
	{
		sink = leaf(sink, HEAVY);
	}
};

template <int Depth> struct Thrower {
	FRAME static void down(std::uint64_t seed)
	{
		Thrower<Depth - 1>::down(seed + 1);
		sink = sink + 1;
	}
};

template <> struct Thrower<1> {
	FRAME static void down(std::uint64_t seed)
	{
		Late late;
		if (seed != 1)
			throw std::runtime_error("on purpose");
	}
};

FRAME void heavy(std::uint64_t seed)
{
	try {
		Thrower<3>::down(seed | 2);
	} catch (const std::exception &) {
		sink = sink + 1;
	}
}

FRAME void light(std::uint64_t seed)
{
	try {
		if (seed != 1)
			throw seed | 2;
	} catch (std::uint64_t caught) {
		sink = leaf(caught, LIGHT);
	}
}

FRAME void turn()
{
	heavy(sink);
	light(sink | 2);
	sink = leaf(sink, OWN);
}

} // namespace

int main(int argc, char **argv)
{
	const std::uint64_t end = deadline(argc, argv);

	ready();
	while (before(end))
		turn();
	return 0;
}
