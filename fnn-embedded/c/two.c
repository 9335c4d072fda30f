/* Two libraries in one image, of one number type each: both pass their self-tests, in turns. */

#include <stdio.h>

#include "dynamics.h"
#include "ignition.h"

int main(void)
{
    int failures = 0, turn;
    for (turn = 0; turn < 2; turn++) {
        failures += dynamics_self_test(NULL) != dynamics_OK;
        failures += ignition_self_test(NULL) != ignition_OK;
    }
    printf("two libraries in one image: %d failures\n", failures);
    return failures == 0 ? 0 : 1;
}
