/* What CasADi's documentation has included before its C where the numbers are not double: functions
 * by the type of their argument. newlib's own header names two of long double that newlib declares
 * for Cygwin alone; nothing here calls them. */

#include_next <tgmath.h>

long double complex cexpl(long double complex);
long double complex ctanhl(long double complex);
