/* From reset to main, on any Cortex-M: what a project of its own has from its vendor. */

#include <stdint.h>
#include <stdlib.h>

extern uint32_t stack_top, data_load, data_start, data_end, bss_start, bss_end;

int main(void);
/* Of newlib's rdimon: files and printf by semihosting. */
void initialise_monitor_handles(void);

static void reset(void)
{
    uint32_t *to = &data_start;
    const uint32_t *from = &data_load;
    while (to < &data_end) {
        *to++ = *from++;
    }
    for (to = &bss_start; to < &bss_end; to++) {
        *to = 0;
    }
#ifdef __ARM_FP
    /* The floating-point unit is off after reset. */
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20;
    __asm volatile("dsb\n\tisb" ::: "memory");
#endif
    initialise_monitor_handles();
    exit(main());
}

/* A fault ends the program with a status of its own, where the emulator would go on for ever. */
static void fault(void)
{
    _Exit(3);
}

/* The first words of the flash: where the stack begins, and where reset and the faults lead. */
struct vectors {
    uint32_t *stack;
    void (*handlers[6])(void);
};

extern const struct vectors vectors;

__attribute__((section(".vectors"), used)) const struct vectors vectors = {
    &stack_top, {reset, fault, fault, fault, fault, fault},
};
