// One stack with each kind of C++ name that a demangler has to get right: a namespace, a class template with a type and a
// number, a member function template, a lambda, an overloaded operator, a destructor and an anonymous namespace. README.md
// lists it name by name.
#include <cstddef>
#include <cstdint>

extern "C" {
#include "../c/workload.h"
}

namespace {

FRAME std::uint64_t burn(std::uint64_t seed)
{
	return churn(seed, 1000000);
}

} // namespace

namespace shop {

// Does its work when it is destroyed.
struct Receipt {
	std::uint64_t seed;

	FRAME ~Receipt()
	{
		sink = burn(seed) + 1;
	}
};

struct Discount {
	FRAME std::uint64_t operator()(std::uint64_t price, const char *) const
	{
		std::uint64_t seed = price;
		{
			Receipt receipt{price};
			seed ^= 1;
		}
		return seed + sink;
	}
};

namespace stock {

template <typename T, std::size_t N> struct Basket {
	T items[N];

	template <typename Price> FRAME T total(const Price &price, const T &seed) const
	{
		return price(seed) + items[seed % N];
	}
};

} // namespace stock

// Inline, since the name of a lambda in another function is the compiler's own affair.
inline FRAME std::uint64_t checkout(const stock::Basket<std::uint64_t, 3> &basket, std::uint64_t seed)
{
	auto priced = [](std::uint64_t price) FRAME { return Discount{}(price, "ten percent") + 1; };

	return basket.total(priced, seed) + 1;
}

} // namespace shop

int main(int argc, char **argv)
{
	const std::uint64_t end = deadline(argc, argv);
	shop::stock::Basket<std::uint64_t, 3> basket{{1, 2, 3}};

	ready();
	while (before(end))
		sink = sink + shop::checkout(basket, sink);
	return 0;
}
