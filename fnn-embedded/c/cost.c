/* What each function of a library costs on the board: instructions and bytes of stack. MODEL is the name
 * of the model, a definition of the command line; its calls are counted at its input 0. */

#include <stdint.h>
#include <stdio.h>

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define M(suffix) JOIN(MODEL, suffix)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#include TEXT(HEADER)

static SCALAR x[M(_INPUTS)], v[M(_INPUTS)], w[M(_OUTPUTS)];
static SCALAR f[M(_OUTPUTS)], g[M(_OUTPUTS) * M(_INPUTS)], t[M(_OUTPUTS)], c[M(_INPUTS)];

static const int both[2] = {1, 1}, value[2] = {1, 0};

static int none(void) { return 0; }
static int all(void) { return MODEL(both, x, f, g); }
static int all_col(void) { return M(_col)(both, x, f, g); }
static int need_value(void) { return MODEL(value, x, f, g); }
static int value_alone(void) { return M(_value)(x, f); }
static int columns(void) { return M(_columns)(0, x, f, g); }
static int jvp(void) { return M(_jvp)(x, v, f, t); }
static int vjp(void) { return M(_vjp)(x, w, f, c); }
static int self_test(void) { return M(_self_test)(NULL); }

static const struct {
    const char *name;
    int (*call)(void);
} calls[] = {
    {"evaluate", all}, {"evaluate_col", all_col}, {"value by need", need_value}, {"value", value_alone},
    {"columns", columns}, {"jvp", jvp}, {"vjp", vjp}, {"self_test", self_test},
};

#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define MOST_TICKS 0xFFFFFFu

/* Ticks of so many calls; SysTick counts down, and around. */
static uint32_t ticks(int (*volatile call)(void), uint32_t times)
{
    uint32_t before = SYST_CVR;
    while (times-- > 0) {
        call();
    }
    return (before - SYST_CVR) & MOST_TICKS;
}

/* Instructions of a call: with one instruction in each emulated nanosecond, a tick is 1000 / MEGAHERTZ. */
static uint32_t instructions(int (*call)(void))
{
    uint32_t once = ticks(call, 1) + 1, times = MOST_TICKS / 4 / once;
    if (times > 2 * 1000 / MEGAHERTZ) {
        times = 2 * 1000 / MEGAHERTZ;
    }
    if (times == 0) {
        times = 1;
    }
    uint64_t total = ticks(call, times) - ticks(none, times);
    return (uint32_t)((total * 1000 / MEGAHERTZ + times / 2) / times);
}

extern uint32_t bss_end;

/* Bytes of stack of a call: the free stack is painted, and the lowest word that lost its paint counts. */
static uint32_t stack(int (*call)(void))
{
    uint32_t *top, *word;
    __asm volatile("mov %0, sp" : "=r"(top));
    for (word = &bss_end + 1024; word < top - 8; word++) {
        *(volatile uint32_t *)word = 0xC5A793E1u;
    }
    call();
    for (word = &bss_end + 1024; *(volatile uint32_t *)word == 0xC5A793E1u; word++) {
    }
    return (uint32_t)((top - word) * 4);
}

int main(void)
{
    unsigned i;
    int failures = 0;
    SYST_RVR = MOST_TICKS;
    SYST_CVR = 0;
    SYST_CSR = 5;
    for (i = 0; i < M(_INPUTS); i++) {
        x[i] = (SCALAR)INPUT;
        v[i] = (SCALAR)1;
    }
    for (i = 0; i < M(_OUTPUTS); i++) {
        w[i] = (SCALAR)1;
    }
    for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        failures += calls[i].call();
        printf("stack of %s: %lu\n", calls[i].name, (unsigned long)stack(calls[i].call));
        printf("instructions of %s: %lu\n", calls[i].name, (unsigned long)instructions(calls[i].call));
    }
    return failures;
}
