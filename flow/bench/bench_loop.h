// What every block's bare simulation loop shares (docs/measure.md, Speed): the program's file, the operand streams, and the loop.
//
// File (32-bit words, little-endian): numbers of descriptors, tile beats, vector beats, bound on cycles; then the descriptors (the block's
// `Desc`, words only), the tile beats (5: data lowest word first, last), the vector beats (7: data, last, tag, mask). All three streams
// are offered from cycle 0 on, every beat in the cycle after its predecessor's transfer. The loop prints {"cycles", "issues", "seconds"}:
// cycles up to the first one in which everything was taken and the design is not busy. Exit status 1 if the bound is reached first, 2 for
// a program that cannot be read.
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "verilated.h"

namespace bench {

struct TileBeat {
    uint32_t data[4], last;
};
struct VecBeat {
    uint32_t data[4], last, tag, mask;
};

template <class Desc>
struct Program {
    uint32_t bound = 0;
    std::vector<Desc> desc;
    std::vector<TileBeat> tile;
    std::vector<VecBeat> vec;

    bool read(const char* path) {
        FILE* file = std::fopen(path, "rb");
        if (!file) return false;
        uint32_t head[4];
        bool ok = std::fread(head, sizeof head, 1, file) == 1;
        if (ok) {
            desc.resize(head[0]);
            tile.resize(head[1]);
            vec.resize(head[2]);
            bound = head[3];
            ok = std::fread(desc.data(), sizeof(Desc), desc.size(), file) == desc.size() &&
                 std::fread(tile.data(), sizeof(TileBeat), tile.size(), file) == tile.size() &&
                 std::fread(vec.data(), sizeof(VecBeat), vec.size(), file) == vec.size();
        }
        std::fclose(file);
        return ok;
    }
};

template <class Top>
void offer_tile(Top& top, const std::vector<TileBeat>& beats, size_t at) {
    top.tile_valid_i = at < beats.size();
    if (!top.tile_valid_i) return;
    std::memcpy(top.tile_data_i.data(), beats[at].data, sizeof beats[at].data);
    top.tile_last_i = beats[at].last;
}

// Data, last and mask; the tag is an input of the IOSS core alone.
template <class Top>
void offer_vec(Top& top, const std::vector<VecBeat>& beats, size_t at) {
    top.vec_valid_i = at < beats.size();
    if (!top.vec_valid_i) return;
    std::memcpy(top.vec_data_i.data(), beats[at].data, sizeof beats[at].data);
    top.vec_last_i = beats[at].last;
    top.vec_mask_i = beats[at].mask;
}

// `fill(top, desc)` sets the descriptor's ports, `tag(top, beat)` what else belongs to a vector beat, `idle(top)` the resting inputs.
template <class Top, class Desc, class Fill, class Tag, class Idle>
int run(int argc, char** argv, Fill fill, Tag tag, Idle idle) {
    Program<Desc> program;
    if (argc != 2 || !program.read(argv[1])) {
        std::fprintf(stderr, "usage: bench <program file>\n");
        return 2;
    }
    VerilatedContext context;
    Top top{&context};
    const auto edge = [&top] {
        top.clk_i = 1;
        top.eval();
        top.clk_i = 0;
    };
    const auto offer_desc = [&](size_t at) {
        top.desc_valid_i = at < program.desc.size();
        if (top.desc_valid_i) fill(top, program.desc[at]);
    };
    const auto offer_job = [&](size_t at) {
        offer_vec(top, program.vec, at);
        if (top.vec_valid_i) tag(top, program.vec[at]);
    };
    top.clk_i = 0;
    top.rst_ni = 0;
    idle(top);
    for (int n = 0; n < 4; n++) {
        top.eval();
        edge();
    }
    top.rst_ni = 1;
    top.eval();
    edge();

    size_t desc = 0, tile = 0, vec = 0;
    uint64_t issues = 0;
    uint32_t cycle = 0;
    bool done = false;
    const auto start = std::chrono::steady_clock::now();
    offer_desc(0);
    offer_tile(top, program.tile, 0);
    offer_job(0);
    for (; cycle < program.bound; cycle++) {
        top.eval();
        if (!top.busy_o && !top.desc_valid_i && !top.tile_valid_i && !top.vec_valid_i) {
            done = true;
            break;
        }
        issues += __builtin_popcount(top.issue_valid_o);
        const bool desc_taken = top.desc_valid_i && top.desc_ready_o;
        const bool tile_taken = top.tile_valid_i && top.tile_ready_o;
        const bool vec_taken = top.vec_valid_i && top.vec_ready_o;
        edge();
        if (desc_taken) offer_desc(++desc);
        if (tile_taken) offer_tile(top, program.tile, ++tile);
        if (vec_taken) offer_job(++vec);
    }
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    top.final();
    std::printf("{\"cycles\": %u, \"issues\": %llu, \"seconds\": %.6f}\n", cycle, static_cast<unsigned long long>(issues),
                seconds.count());
    return done ? 0 : 1;
}

}  // namespace bench

#endif
