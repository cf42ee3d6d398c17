/* CPU loops around a term's two functions. Nothing branches and no sum crosses columns, so that the compiler makes
 * vector code of them without changing a bit; for that it must see restrict at a function's parameters. */

static inline int
seen_as(int kind, int twin)
{
    return kind == VN_TWIN ? twin : kind;
}

static inline void
value_cells(float *VN_RESTRICT z, const float *VN_RESTRICT c, const uint8_t *VN_RESTRICT kind, const vn_strip *s,
            const vn_term_args a)
{
    const int64_t n = s->n;
    const int reading = s->reading, twin = s->twin;
    for (int64_t j = 0; j < n; j++) {
        int seen = seen_as(kind[j], twin);
        vn_cell x = {c[j], 0.0f, {0.0f, 0.0f}, {0.0f, 0.0f}, 0.0f, 0.0f, seen, reading};
        float v = VN_TERM_STAT(x, &a);
        z[j] = seen == VN_MASKED ? -INFINITY : v;
    }
}

static inline void
grad_cells(float *VN_RESTRICT g, float *VN_RESTRICT loss, const float *VN_RESTRICT c, const float *VN_RESTRICT z,
           const float *VN_RESTRICT top, const float *VN_RESTRICT log, const float *VN_RESTRICT share,
           const uint8_t *VN_RESTRICT kind, const vn_strip *s, const vn_term_args a)
{
    const vn_stat row = s->row;
    const float row_share = s->row_share;
    const int64_t n = s->n;
    const int reading = s->reading, twin = s->twin;
    for (int64_t j = 0; j < n; j++) {
        int seen = seen_as(kind[j], twin);
        vn_stat col = {top[j], log[j]};
        vn_cell x = {c[j], z[j], row, col, row_share, share[j], seen, reading};
        vn_dcell d = VN_TERM_GRAD(x, &a);
        g[j] += seen == VN_MASKED ? 0.0f : a.weight * d.dc;
        loss[j] += seen == VN_MASKED ? 0.0f : d.loss;
    }
}

static void
values(const vn_strip *s, const vn_term_args *a)
{
    value_cells(s->z, s->c, s->kind, s, *a);
}

static void
grads(const vn_strip *s, const vn_term_args *a)
{
    grad_cells(s->g, s->loss, s->c, s->z, s->col_top, s->col_log, s->col_share, s->kind, s, *a);
}
