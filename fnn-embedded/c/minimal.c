/* Reset, input, evaluation, output, and nothing else: what a product in C pays for the network. It is the
 * twin of the firmware's binary `needed`. */

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define M(suffix) JOIN(MODEL, suffix)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#include TEXT(HEADER)

/* They stand for a sensor, a switch and an actuator. */
static volatile int need[2];
static SCALAR x[M(_INPUTS)], f[M(_OUTPUTS)], g[M(_OUTPUTS) * M(_INPUTS)];

int main(void)
{
    for (;;) {
        const int now[2] = {need[0], need[1]};
        __asm volatile("" ::"r"(x), "r"(now) : "memory");
#ifndef WITHOUT
        MODEL(now, x, f, g);
#endif
        __asm volatile("" ::"r"(f), "r"(g) : "memory");
    }
}
