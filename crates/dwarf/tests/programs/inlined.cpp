#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace shapes {
template <typename Number> struct Square {
    Number side;
    inline __attribute__((always_inline)) Number area() const { return side * side; }
};

namespace {
inline __attribute__((always_inline)) int twice(int value) {
    int sum = value;
    for (int i = 0; i < value; i++)
        sum += rand() % 3;
    return sum;
}
} // namespace

__attribute__((noinline)) int total(const std::vector<Square<int>> &all) {
    int sum = 0;
    for (const auto &square : all)
        sum += twice(square.area()) + square.area();
    return sum;
}
} // namespace shapes

static __attribute__((noinline)) int local(int count) {
    std::vector<shapes::Square<int>> all;
    for (int i = 0; i < count; i++)
        all.push_back({i});
    auto sum = [&](int by) { return shapes::total(all) * by; };
    return sum(count) + sum(1);
}

int main(int argc, char **) {
    std::string text = std::to_string(local(argc + 3));
    puts(text.c_str());
    return 0;
}
