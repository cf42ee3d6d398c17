/* CPU loops around a term's two functions. Nothing branches and no sum crosses columns, so that the compiler makes
 * vector code of them without changing a bit; for that it must see restrict at a function's parameters. What a term
 * does not look at is not loaded. */

static inline int
seen_as(int kind, int twin, int hollow)
{
    return kind == VN_TWIN ? twin : kind == VN_VOID ? hollow : kind;
}

static inline void
value_cells(float *VN_RESTRICT z, const float *VN_RESTRICT c, const float *VN_RESTRICT pair,
            const uint8_t *VN_RESTRICT kind, const vn_strip *s, const vn_term_args a)
{
    const int64_t n = s->n;
    const int reading = s->reading, twin = s->twin, hollow = s->hollow;
    vn_cell x;
    memset(&x, 0, sizeof x);
    x.row_pair = s->row_pair;
    x.reading = reading;
    x.i = s->i;
    const int32_t first = s->j;
    for (int64_t j = 0; j < n; j++) {
        vn_cell y = x;
        y.c = c[j];
        y.col_pair = pair[j];
        y.j = first + (int32_t)j;
        y.kind = seen_as(kind[j], twin, hollow);
        float v = VN_TERM_STAT(y, &a);
        z[j] = y.kind == VN_MASKED ? -INFINITY : v;
    }
}

static inline void
grad_cells(float *VN_RESTRICT g, float *VN_RESTRICT loss, const float *VN_RESTRICT c, const float *VN_RESTRICT z,
           const float *VN_RESTRICT top, const float *VN_RESTRICT log, const float *VN_RESTRICT share,
           const float *VN_RESTRICT pair, const float *VN_RESTRICT teacher, const float *VN_RESTRICT teacher_top,
           const float *VN_RESTRICT teacher_log, const uint8_t *VN_RESTRICT kind, const vn_strip *s,
           const vn_term_args a)
{
    const int64_t n = s->n;
    const int reading = s->reading, twin = s->twin, hollow = s->hollow;
    const vn_stat row = s->row, teacher_row = s->teacher_row;
    const float row_share = s->row_share, row_pair = s->row_pair;
    const int32_t i = s->i, first = s->j;
    for (int64_t j = 0; j < n; j++) {
        int seen = seen_as(kind[j], twin, hollow);
        vn_stat col = {top[j], log[j]}, teacher_col = {teacher_top[j], teacher_log[j]};
        vn_cell x = {c[j],     z[j],       row,         col, row_share,          share[j], row_pair, pair[j],
                     teacher[j], teacher_row, teacher_col, i,   first + (int32_t)j, seen,     reading};
        vn_dcell d = VN_TERM_GRAD(x, &a);
        g[j] += seen == VN_MASKED ? 0.0f : a.weight * d.dc;
        loss[j] += seen == VN_MASKED ? 0.0f : d.loss;
    }
}

static void
values(const vn_strip *s, const vn_term_args *a)
{
    value_cells(s->z, s->c, s->col_pair, s->kind, s, *a);
}

static void
grads(const vn_strip *s, const vn_term_args *a)
{
    grad_cells(s->g, s->loss, s->c, s->z, s->col_top, s->col_log, s->col_share, s->col_pair, s->teacher,
               s->teacher_top, s->teacher_log, s->kind, s, *a);
}
