/* What a core can multiply and add: independent chains of fused multiply-adds in registers, as wide as the CPU has. */
#if defined(__AVX512F__)
enum { WIDTH = 64 };
#elif defined(__AVX__)
enum { WIDTH = 32 };
#else
enum { WIDTH = 16 };
#endif
typedef float vector __attribute__((vector_size(WIDTH)));
enum { CHAINS = 12 }; /* latency times units, with some to spare */

/* returns the FLOP done; sink keeps the sums alive */
double
probe(long rounds, float *sink)
{
    vector x[CHAINS], a = {0}, b = {0};
    a += 0.999f;
    b += 0.001f;
    for (int i = 0; i < CHAINS; i++)
        x[i] = b * (float)i;
    for (long n = 0; n < rounds; n++)
#pragma GCC unroll 12
        for (int i = 0; i < CHAINS; i++)
            x[i] = x[i] * a + b;
    for (int i = 1; i < CHAINS; i++)
        x[0] += x[i];
    *sink = x[0][0];
    return 2.0 * CHAINS * (WIDTH / 4) * (double)rounds;
}
