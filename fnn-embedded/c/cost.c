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

#ifdef __riscv
/* A tick is an instruction: the lower half of minstret. */
#define MOST_TICKS 0xFFFFFFFFu

static void start_ticks(void) {}

static uint32_t now(void)
{
    uint32_t count;
    __asm volatile(".option push\n\t.option arch, +zicsr\n\tcsrr %0, minstret\n\t.option pop" : "=r"(count));
    return count;
}

/* Instructions of so many ticks. */
static uint64_t of_ticks(uint64_t ticks) { return ticks; }
#define PER_TICK 1u
#else
#define SYST_CSR (*(volatile uint32_t *)0xE000E010u)
#define SYST_RVR (*(volatile uint32_t *)0xE000E014u)
#define SYST_CVR (*(volatile uint32_t *)0xE000E018u)
#define MOST_TICKS 0xFFFFFFu

static void start_ticks(void)
{
    SYST_RVR = MOST_TICKS;
    SYST_CVR = 0;
    SYST_CSR = 5;
}

/* SysTick counts down, and around. */
static uint32_t now(void) { return MOST_TICKS - SYST_CVR; }

/* With one instruction in each emulated nanosecond, a tick is 1000 / MEGAHERTZ. */
static uint64_t of_ticks(uint64_t ticks) { return ticks * 1000u / MEGAHERTZ; }
#define PER_TICK ((1000u + MEGAHERTZ - 1) / MEGAHERTZ)
#endif

/* Ticks of so many calls. */
static uint32_t ticks(int (*volatile call)(void), uint32_t times)
{
    uint32_t before = now();
    while (times-- > 0) {
        call();
    }
    return (now() - before) & MOST_TICKS;
}

/* Instructions of a call, on average over so many that a tick more or less is less than an instruction. */
static uint32_t instructions(int (*call)(void))
{
    uint32_t once = ticks(call, 1) + 1, times = MOST_TICKS / 4 / once;
    if (times > 2 * PER_TICK) {
        times = 2 * PER_TICK;
    }
    if (times == 0) {
        times = 1;
    }
    return (uint32_t)((of_ticks(ticks(call, times) - ticks(none, times)) + times / 2) / times);
}

/* The end of the variables, where a heap would begin; printf has one. */
extern uint32_t end;

#define HEAP 512

/* Bytes of stack of a call: the free stack is painted, and the lowest word that lost its paint counts. */
static uint32_t stack(int (*call)(void))
{
    uint32_t *top, *word;
#ifdef __riscv
    __asm volatile("mv %0, sp" : "=r"(top));
#else
    __asm volatile("mov %0, sp" : "=r"(top));
#endif
    for (word = &end + HEAP; word < top - 8; word++) {
        *(volatile uint32_t *)word = 0xC5A793E1u;
    }
    call();
    for (word = &end + HEAP; *(volatile uint32_t *)word == 0xC5A793E1u; word++) {
    }
    return (uint32_t)((top - word) * 4);
}

int main(void)
{
    unsigned i;
    int failures = 0;
    start_ticks();
    for (i = 0; i < M(_INPUTS); i++) {
        x[i] = (SCALAR)INPUT;
        v[i] = (SCALAR)1;
    }
    for (i = 0; i < M(_OUTPUTS); i++) {
        w[i] = (SCALAR)1;
    }
    printf("records: %d\nworkspace: %lu\n", M(_RECORDS), (unsigned long)(M(_WORKSPACE) * sizeof(SCALAR)));
    for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        failures += calls[i].call();
        printf("stack of %s: %lu\n", calls[i].name, (unsigned long)stack(calls[i].call));
        printf("instructions of %s: %lu\n", calls[i].name, (unsigned long)instructions(calls[i].call));
    }
    return failures;
}
