/* The right-hand side of reactions A + B -> C by index loops, as one would write it by hand: for
   one state, reactions sorted by A so that its losses stay in a register, and for states side by
   side, `lanes` of them in a row for each species. `make` compiles it with -O3 -march=native. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

void one_state(size_t species, size_t reactions, const uint16_t *a, const uint16_t *b,
               const uint16_t *c, const double *k, const double *u, double *du) {
  memset(du, 0, species * sizeof(double));
  size_t r = 0;
  while (r < reactions) {
    const uint16_t first = a[r];
    const double ua = u[first];
    double loss = 0;
    for (; r < reactions && a[r] == first; r++) {
      const double rate = k[r] * ua * u[b[r]];
      loss += rate;
      du[b[r]] -= rate;
      du[c[r]] += rate;
    }
    du[first] -= loss;
  }
}

#define LANES 8
typedef double state __attribute__((vector_size(8 * LANES), aligned(8)));

void eight_states(size_t species, size_t reactions, const uint16_t *a, const uint16_t *b,
                  const uint16_t *c, const double *k, const state *u, state *du) {
  memset(du, 0, species * sizeof(state));
  for (size_t r = 0; r < reactions; r++) {
    const state rate = k[r] * u[a[r]] * u[b[r]];
    du[a[r]] -= rate;
    du[b[r]] -= rate;
    du[c[r]] += rate;
  }
}
