/* A library of a network beside a library that another Rust project made, with a panic in it that can be
 * reached, allocations and threads. */

#include <stdio.h>

#include "dynamics.h"

int other_sum(int count);

int main(void)
{
    int status = dynamics_self_test(NULL), sum = other_sum(100);
    printf("beside another Rust library: status %d, sum %d\n", status, sum);
    return status == dynamics_OK && sum == 4950 ? 0 : 1;
}
