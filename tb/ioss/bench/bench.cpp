// The bare simulation loop that the environment's speed is measured against (docs/measure.md, Speed): the core alone, a program's
// beats from arrays in memory, consumers always ready, no tracing and no check but the number of issues. File and loop: bench_loop.h. The
// build defines Rows.
#include "Vioss_core.h"
#include "bench_loop.h"

namespace {

struct Desc {
    uint32_t x_slices, w_slices, x_unsigned, w_unsigned, min_order, compensate, reduce_factor, k_len, n_jobs;
};

void fill(Vioss_core& top, const Desc& item) {
    top.desc_x_slices_i = item.x_slices;
    top.desc_w_slices_i = item.w_slices;
    top.desc_x_unsigned_i = item.x_unsigned;
    top.desc_w_unsigned_i = item.w_unsigned;
    top.desc_min_order_i = item.min_order;
    top.desc_compensate_i = item.compensate;
    top.desc_reduce_factor_i = item.reduce_factor;
    top.desc_k_len_i = item.k_len;
    top.desc_n_jobs_i = item.n_jobs;
}

void tag(Vioss_core& top, const bench::VecBeat& beat) { top.vec_tag_i = beat.tag; }

void idle(Vioss_core& top) {
    top.prod_ready_i = ~0u >> (32 - Rows);
    top.byp_ready_i = 1;
}

}  // namespace

int main(int argc, char** argv) { return bench::run<Vioss_core, Desc>(argc, argv, fill, tag, idle); }
