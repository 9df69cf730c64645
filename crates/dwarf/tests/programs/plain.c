#include <stdio.h>
#include <stdlib.h>

static inline __attribute__((always_inline)) int inner(int value) {
    return value * rand();
}

static inline __attribute__((always_inline)) int middle(int value) {
    return inner(value) + inner(value + 1);
}

static __attribute__((noinline)) int outer(int value) {
    int sum = middle(value);
    sum ^= middle(sum);
    return sum;
}

int main(void) {
    printf("%d\n", outer(7));
    return 0;
}
