/* A network and its Jacobian by hand, in the manner of the seed's C: the sensitivity starts as the
 * identity, every layer multiplies it by its weights and scales its rows by the slopes.
 *
 * The compiler is told all sizes:
 *     -DREAL=float -DACTIVATION=tanh_and_slope -DNX=12 -DNF=1 -DWIDEST=64 -DPARAMETERS=5057
 *     "-DLAYERS=LAYER(12,64) LAYER(64,64) LAST(64,1)"                                        */

#include <tgmath.h>

/* Of each layer the weights row by row, then the biases: who loads this library writes them. */
REAL network_weights[PARAMETERS];

static inline REAL mish_and_slope(REAL z, REAL *slope)
{
    REAL e = exp(z);
    REAL t = tanh(log1p(e));
    *slope = t + z * (1 - t * t) * e / (1 + e);
    return z * t;
}

static inline REAL silu_and_slope(REAL z, REAL *slope)
{
    REAL s = 1 / (1 + exp(-z));
    *slope = s * (1 + z * (1 - s));
    return z * s;
}

static inline REAL tanh_and_slope(REAL z, REAL *slope)
{
    REAL t = tanh(z);
    *slope = 1 - t * t;
    return t;
}

/* One layer: value y and sensitivity s in, value and sensitivity out. It is inlined where its sizes
 * are known. */
static inline __attribute__((always_inline)) void
layer(int nin, int nout, const REAL *a, const REAL *b, int is_last, const REAL *y, REAL s[][NX],
      REAL *y_out, REAL s_out[][NX])
{
    for (int i = 0; i < nout; i++) {
        REAL z = b[i];
        for (int j = 0; j < nin; j++)
            z += a[i * nin + j] * y[j];

        REAL slope = 1;
        y_out[i] = is_last ? z : ACTIVATION(z, &slope);

        REAL sum[NX] = {0};
        for (int j = 0; j < nin; j++)
            for (int c = 0; c < NX; c++)
                sum[c] += a[i * nin + j] * s[j][c];
        for (int c = 0; c < NX; c++)
            s_out[i][c] = slope * sum[c];
    }
}

/* f gets the value, g the Jacobian: g[i + NF * j] = d f[i] / d x[j]. */
void network(const REAL *x, REAL *f, REAL *g)
{
    REAL y[2][WIDEST], s[2][WIDEST][NX];
    const REAL *a = network_weights;
    int from = 0;

    for (int i = 0; i < NX; i++) {
        y[0][i] = x[i];
        for (int j = 0; j < NX; j++)
            s[0][i][j] = i == j;
    }
#define DENSE(nin, nout, is_last)                                                                  \
    layer(nin, nout, a, a + (nin) * (nout), is_last, y[from], s[from], y[1 - from], s[1 - from]);  \
    a += (nin) * (nout) + (nout);                                                                  \
    from = 1 - from;
#define LAYER(nin, nout) DENSE(nin, nout, 0)
#define LAST(nin, nout) DENSE(nin, nout, 1)
    LAYERS

    for (int i = 0; i < NF; i++) {
        f[i] = y[from][i];
        for (int j = 0; j < NX; j++)
            g[i + NF * j] = s[from][i][j];
    }
}
