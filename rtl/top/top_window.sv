// Puts vectors (Tile = 0) or the rows of a tile (Tile = 1) together from images in a buffer (docs/top/windows.md). Lengths are in units
// of 4 bits.
//
// A pass is one tile's share of the stream. The images' words come in order, each once a pass, into a ring of sixteen, which holds all
// that a window spans. Each cycle a piece of a window, in one row of the image, moves from there to the beat that is being filled, and with it
// the next one if it lies in the same beat.
module top_window
  import top_pkg::spot_t, top_pkg::stretch_t, top_pkg::window_t, top_pkg::lengths_t, top_pkg::PosW;
#(
  parameter int Words = 8192,
  parameter int Tile = 0
) (
  input  logic        clk_i,
  input  logic        rst_ni,
  // the command
  input  logic        start_i,         // pulse; the first chunk begins a cycle later
  input  logic        chunk_i,         // pulse: a chunk of K begins
  input  logic        active_i,        // a pass may go on
  input  logic        last_pass_i,     // of the chunk
  output logic        pass_o,          // pulse: its last piece
  input  logic [15:0] first_i,         // word of the images
  input  logic [15:0] jobs_i,          // windows of a pass
  input  logic [12:0] range_i,         // of a window, that a pass takes
  input  logic [12:0] member_i,        // a beat ends after so much of a vector, after so many rows of a tile
  // geometry of windows
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits
  input  window_t     window_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  lengths_t    lengths_i,
  // buffer
  output logic                      mem_req_o,
  output logic [top_pkg::AddrW-1:0] mem_addr_o,
  input  logic [top_pkg::BeatW-1:0] mem_data_i,    // of the cycle before
  output logic                      range_o,       // pulse: a word past its end
  // beats
  output logic                      out_valid_o,
  input  logic                      out_ready_i,
  output logic [top_pkg::BeatW-1:0] out_data_o,
  output logic                      out_last_o     // of a vector, of a tile
);
  // A position counts from Before words before the images, so that padding does not make it negative. It stays at 2^22, past every buffer.
  localparam int Before = top_pkg::WindowRing;
  localparam int IndexW = PosW - 5;

  // ---- the walk, and up to two pieces of one beat ----------------
  spot_t       spot_q, spot_first, spot_base_q, spot_a, spot_b, next_a, next_b, next_spot;
  stretch_t    stretch_q, stretch_base_q, stretch_a, stretch_b, after_a, after_b, after;
  logic [12:0] left_q, left_a, left_b;             // of the range
  logic [12:0] member_q, member_a, member_b;       // of a member
  logic [15:0] jobs_q, jobs_a, jobs_b;             // of the pass
  logic [4:0]  fill_q, fill_a, fill_b;
  logic        some_a, some_b, job_end_a, job_end_b, pass_end_a, pass_end_b, beat_end_a, beat_end_b;
  logic        fire, both, job_end, pass_end, beat_end;
  logic [PosW-1:0] origin;
  logic [3:0]      slot_a, slot_b, after_slot_a, after_slot_b;  // wrap
  logic [IndexW:0] to_word_a, to_word_b;
  logic [2*top_pkg::BeatW-1:0] words_a, words_b;
  logic [top_pkg::BeatW-1:0]   data_a, data_b;
  assign origin = PosW'(32 * Before) - lengths_i.ahead;
  // Of a tile's rows, those of the next chunk begin where this one's end; the next tile of this chunk begins with the same.
  assign spot_first = {origin, origin, origin, 10'd0, 10'd0, lengths_i.left, lengths_i.right};
  top_window_piece #(
    .Tile(Tile)
  ) u_first (
    .spot_i(spot_q), .stretch_i(stretch_q), .left_i(left_q), .member_i(member_q), .jobs_i(jobs_q), .fill_i(fill_q),
    .base_i(stretch_base_q), .range_i, .members_i(member_i), .window_i, .lengths_i,
    .slot_o(slot_a), .some_o(some_a), .to_word_o(to_word_a), .words_i(words_a), .data_o(data_a), .fill_o(fill_a),
    .job_end_o(job_end_a), .pass_end_o(pass_end_a), .beat_end_o(beat_end_a),
    .next_spot_o(next_a), .after_o(after_a), .spot_o(spot_a), .stretch_o(stretch_a), .left_o(left_a),
    .member_o(member_a), .jobs_o(jobs_a)
  );
  top_window_piece #(
    .Tile(Tile)
  ) u_second (
    .spot_i(spot_a), .stretch_i(stretch_a), .left_i(left_a), .member_i(member_a), .jobs_i(jobs_a), .fill_i(fill_a),
    .base_i(stretch_base_q), .range_i, .members_i(member_i), .window_i, .lengths_i,
    .slot_o(slot_b), .some_o(some_b), .to_word_o(to_word_b), .words_i(words_b), .data_o(data_b), .fill_o(fill_b),
    .job_end_o(job_end_b), .pass_end_o(pass_end_b), .beat_end_o(beat_end_b),
    .next_spot_o(next_b), .after_o(after_b), .spot_o(spot_b), .stretch_o(stretch_b), .left_o(left_b),
    .member_o(member_b), .jobs_o(jobs_b)
  );

  // ---- words ----------------
  logic [top_pkg::BeatW-1:0] ring_q [top_pkg::WindowRing];
  logic [IndexW-1:0] ask_q, here_q;                // the next word to be asked for; words before it are in the ring
  logic [IndexW-1:0] horizon, horizon_last, after_pass;
  logic              ask, past, outside, flying_q, empty_q, here_a, here_b, free;
  logic [3:0]        slot_q;
  logic [17:0]       address;
  function automatic logic [IndexW-1:0] end_of(input logic [PosW-1:0] begin_, input logic [23:0] length);
    end_of = IndexW'((25'(begin_) + 25'(length) - 25'd1) >> 5) + IndexW'(1);
  endfunction
  function automatic logic [IndexW-1:0] begin_of(input logic [PosW-1:0] begin_);
    logic [IndexW-1:0] word;
    word = IndexW'(begin_ >> 5);
    begin_of = (word < IndexW'(Before)) ? IndexW'(Before) : word;
  endfunction
  assign horizon_last = end_of(spot_q.p, lengths_i.span);
  assign horizon = (jobs_q == 16'd1) ? horizon_last : end_of(next_a.p, lengths_i.span);
  assign ask = active_i && ask_q <= horizon && ask_q < spot_q.p[PosW-1:5] + IndexW'(top_pkg::WindowRing);
  assign past = ask_q >= IndexW'(Before) + IndexW'(window_i.words);
  assign address = 18'(first_i) + ask_q - 18'(Before);
  assign outside = address >= 18'(Words);
  assign mem_req_o = ask && !past && !outside;
  assign mem_addr_o = address[top_pkg::AddrW-1:0];
  assign range_o = ask && !past && outside;
  // All that a pass asks for has come when it ends, so that it never depends on time how much that is.
  assign here_a = (!some_a || to_word_a < (IndexW + 1)'(here_q)) && (!pass_end_a || here_q > horizon_last);
  assign here_b = (!some_b || to_word_b < (IndexW + 1)'(here_q)) &&
      (!pass_end_b || here_q > end_of(spot_a.p, lengths_i.span));
  assign free = !out_valid_o || out_ready_i;
  assign fire = active_i && here_a && (!beat_end_a || free);
  assign both = !beat_end_a && here_b && (!beat_end_b || free);
  assign job_end = both ? job_end_b : job_end_a;
  assign pass_end = both ? pass_end_b : pass_end_a;
  assign beat_end = both ? beat_end_b : beat_end_a;
  assign next_spot = both ? next_b : next_a;
  assign after = both ? after_b : after_a;
  assign pass_o = fire && pass_end;
  always_ff @(posedge clk_i) begin
    if (flying_q) ring_q[slot_q] <= empty_q ? '0 : mem_data_i;
  end

  // ---- the beat ----------------
  logic [top_pkg::BeatW-1:0] beat_q, filled;
  assign after_slot_a = slot_a + 4'd1;
  assign after_slot_b = slot_b + 4'd1;
  assign words_a = {ring_q[after_slot_a], ring_q[slot_a]};
  assign words_b = {ring_q[after_slot_b], ring_q[slot_b]};
  assign filled = beat_q | data_a | (both ? data_b : '0);

  assign after_pass = begin_of((Tile == 0) ? origin : last_pass_i ? next_spot.p : spot_base_q.p);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      spot_q      <= '0;
      spot_base_q <= '0;
      stretch_q   <= '0;
      stretch_base_q <= '0;
      left_q      <= '0;
      member_q    <= '0;
      jobs_q      <= '0;
      fill_q      <= '0;
      beat_q      <= '0;
      ask_q       <= '0;
      here_q      <= '0;
      flying_q    <= 1'b0;
      empty_q     <= 1'b0;
      slot_q      <= '0;
      out_valid_o <= 1'b0;
      out_data_o  <= '0;
      out_last_o  <= 1'b0;
    end else begin
      flying_q <= ask;
      empty_q  <= past || outside;
      slot_q   <= ask_q[3:0];
      here_q   <= ask_q;
      if (ask) ask_q <= ask_q + IndexW'(1);
      if (out_ready_i) out_valid_o <= 1'b0;
      if (fire) begin
        fill_q <= beat_end ? 5'd0 : both ? fill_b : fill_a;
        beat_q <= beat_end ? '0 : filled;
        if (beat_end) begin
          out_valid_o <= 1'b1;
          out_data_o  <= filled;
          out_last_o  <= (Tile == 0) ? job_end : pass_end;
        end
        spot_q    <= both ? spot_b : spot_a;
        stretch_q <= both ? stretch_b : stretch_a;
        left_q    <= both ? left_b : left_a;
        member_q  <= both ? member_b : member_a;
        jobs_q    <= both ? jobs_b : jobs_a;
        if (pass_end) begin
          jobs_q <= jobs_i;
          ask_q  <= after_pass;
          here_q <= after_pass;
          spot_q <= (Tile == 0) ? spot_first : last_pass_i ? next_spot : spot_base_q;
          if (Tile != 0 && last_pass_i) spot_base_q <= next_spot;
          // A vector's next chunk begins where this one's range ends; a tile's next columns do.
          if ((Tile == 0) == last_pass_i) begin
            stretch_q      <= after;
            stretch_base_q <= after;
          end else if (Tile != 0) begin
            stretch_q      <= '0;
            stretch_base_q <= '0;
          end
        end
      end
      if (start_i) begin
        spot_q         <= spot_first;
        spot_base_q    <= spot_first;
        stretch_q      <= '0;
        stretch_base_q <= '0;
      end
      if (chunk_i) begin
        left_q   <= range_i;
        member_q <= member_i;
        jobs_q   <= jobs_i;
        ask_q    <= begin_of(spot_q.p);
        here_q   <= begin_of(spot_q.p);
      end
    end
  end
endmodule
