// Puts vectors (Tile = 0) or the rows of a tile (Tile = 1) together from images in a buffer (docs/top/windows.md). Lengths are in units
// of 4 bits.
//
// A pass is one tile's share of the stream. The images' words come in order, each once a pass, into a ring of sixteen, which holds all
// that a window spans. Each cycle a piece of a window, in one row of the image, moves from there to the beat that is being filled.
module top_window
  import top_pkg::window_t, top_pkg::lengths_t;
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
  // A position counts from Before words before the images, so that padding does not make it negative. It stays at Far, past every buffer.
  localparam int Before = top_pkg::WindowRing;
  localparam int PosW = 23;
  localparam int IndexW = PosW - 5;
  localparam logic [PosW-1:0] Far = {1'b1, {(PosW-1){1'b0}}};
  localparam int FarW = 28;

  function automatic logic [PosW-1:0] far(input logic [FarW-1:0] sum);
    far = (sum >= FarW'(Far)) ? Far : sum[PosW-1:0];
  endfunction

  // ---- the window of a job: where it begins, padding around it ----------------
  logic [PosW-1:0] p_q, row_q, image_q, p_next, row_next, image_next, origin;
  logic [9:0]      x_q, y_q, x_next, y_next;       // column and row, padding included
  logic [14:0]     left_q, left_next;
  logic [19:0]     right_q, right_next;
  logic            last_column, last_row;
  assign origin = PosW'(32 * Before) - lengths_i.ahead;
  assign last_column = 11'(x_q) + 11'(window_i.stride) + 11'(window_i.kernel_columns) >
      11'(window_i.columns) + {6'd0, window_i.pad_columns, 1'b0};
  assign last_row = 11'(y_q) + 11'(window_i.stride) + 11'(window_i.kernel_rows) >
      11'(window_i.rows) + {6'd0, window_i.pad_rows, 1'b0};
  always_comb begin
    image_next = (last_column && last_row) ? far(FarW'(image_q) + FarW'(lengths_i.image)) : image_q;
    row_next = !last_column ? row_q : last_row ? image_next : far(FarW'(row_q) + FarW'(lengths_i.row_step));
    p_next = last_column ? row_next : far(FarW'(p_q) + FarW'(lengths_i.step));
    x_next = last_column ? 10'd0 : x_q + 10'(window_i.stride);
    y_next = !last_column ? y_q : last_row ? 10'd0 : y_q + 10'(window_i.stride);
    left_next = last_column ? lengths_i.left : (left_q > lengths_i.step) ? left_q - lengths_i.step : 15'd0;
    right_next = last_column ? lengths_i.right : right_q - 20'(lengths_i.step);
  end
  // Of a tile's rows, those of the next chunk begin where this one's end; the next tile of this chunk begins with the same.
  localparam int JobW = 3 * PosW + 20 + 15 + 20;
  logic [JobW-1:0] job_first, job_next, base_q;
  assign job_first = {origin, origin, origin, 10'd0, 10'd0, lengths_i.left, lengths_i.right};
  assign job_next = {p_next, row_next, image_next, x_next, y_next, left_next, right_next};

  // ---- the piece: as much of a kernel's row as fits the beat ----------------
  logic [3:0]      g_q, g_base_q, g_after;         // row of the kernel
  logic [PosW-1:0] gl_q, gl_base_q, gl_after;      // to it from the window's begin
  logic [19:0]     o_q, o_base_q, o_after;         // within it
  logic [12:0]     range_q, member_q;              // left of the range, of a member
  logic [15:0]     jobs_q;                         // left of the pass
  logic [4:0]      fill_q;
  logic [5:0]      room, len, need;
  logic            last_segment, row_inside, job_end, member_end, pass_end, beat_end, here, fire;
  logic [19:0]     rest;                           // of the kernel's row
  logic [PosW:0]   from;
  logic [IndexW:0] to_word;
  assign room = 6'd32 - 6'(fill_q);
  assign last_segment = g_q + 4'd1 == window_i.kernel_rows;
  assign rest = (20'(lengths_i.segment) > o_q) ? 20'(lengths_i.segment) - o_q : 20'd0;
  always_comb begin
    len = room;
    if (range_q < 13'(len)) len = range_q[5:0];
    if (Tile == 0 && member_q < 13'(len)) len = member_q[5:0];
    if (!last_segment && rest < 20'(len)) len = rest[5:0];
  end
  assign need = (rest < 20'(len)) ? rest[5:0] : len;
  assign from = (PosW + 1)'(p_q) + (PosW + 1)'(gl_q) + (PosW + 1)'(o_q);
  assign to_word = (IndexW + 1)'((from + (PosW + 1)'(need) - 1'b1) >> 5);
  assign row_inside = 11'(y_q) + 11'(g_q) >= 11'(window_i.pad_rows) &&
      11'(y_q) + 11'(g_q) < 11'(window_i.rows) + 11'(window_i.pad_rows);
  assign job_end = range_q == 13'(len);
  assign pass_end = job_end && jobs_q == 16'd1;
  assign member_end = (Tile == 0) ? (job_end || member_q == 13'(len)) :
      (job_end && (member_q == 13'd1 || jobs_q == 16'd1));
  assign beat_end = len == room || member_end;
  assign g_after = (!last_segment && 20'(len) == rest) ? g_q + 4'd1 : g_q;
  assign gl_after = (!last_segment && 20'(len) == rest) ? gl_q + PosW'(lengths_i.line) : gl_q;
  assign o_after = (!last_segment && 20'(len) == rest) ? 20'd0 : o_q + 20'(len);

  // ---- words ----------------
  logic [top_pkg::BeatW-1:0] ring_q [top_pkg::WindowRing];
  logic [IndexW-1:0] ask_q, here_q;                // the next word to be asked for; words before it are in the ring
  logic [IndexW-1:0] horizon, horizon_last, after_pass;
  logic              ask, past, outside, flying_q, empty_q;
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
  assign horizon_last = end_of(p_q, lengths_i.span);
  assign horizon = (jobs_q == 16'd1) ? horizon_last : end_of(p_next, lengths_i.span);
  assign ask = active_i && ask_q <= horizon && ask_q < p_q[PosW-1:5] + IndexW'(top_pkg::WindowRing);
  assign past = ask_q >= IndexW'(Before) + IndexW'(window_i.words);
  assign address = 18'(first_i) + ask_q - 18'(Before);
  assign outside = address >= 18'(Words);
  assign mem_req_o = ask && !past && !outside;
  assign mem_addr_o = address[top_pkg::AddrW-1:0];
  assign range_o = ask && !past && outside;
  // All that a pass asks for has come when it ends, so that it never depends on time how much that is.
  assign here = (need == '0 || to_word < (IndexW + 1)'(here_q)) && (!pass_end || here_q > horizon_last);
  assign fire = active_i && here && (!beat_end || !out_valid_o || out_ready_i);
  assign pass_o = fire && pass_end;
  always_ff @(posedge clk_i) begin
    if (flying_q) ring_q[slot_q] <= empty_q ? '0 : mem_data_i;
  end

  // ---- the beat ----------------
  logic [top_pkg::BeatW-1:0] beat_q, cut, piece, mask, filled;
  logic [3:0] slot, slot_next;
  assign slot = from[8:5];
  assign slot_next = slot + 4'd1;
  assign cut = top_pkg::BeatW'({ring_q[slot_next], ring_q[slot]} >> {from[4:0], 2'b00});
  for (genvar i = 0; i < 32; i++) begin : gen_mask
    logic [20:0] at;
    assign at = 21'(o_q) + 21'(i);
    assign mask[4*i +: 4] = (6'(i) < need && row_inside && at >= 21'(left_q) && at < 21'(right_q)) ? 4'hf : 4'h0;
  end
  assign piece = cut & mask;
  assign filled = beat_q | (piece << {fill_q, 2'b00});

  assign after_pass = (Tile == 0) ? begin_of(origin) : begin_of(last_pass_i ? p_next : base_q[JobW-1 -: PosW]);
  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      {p_q, row_q, image_q, x_q, y_q, left_q, right_q} <= '0;
      base_q      <= '0;
      g_q         <= '0;
      gl_q        <= '0;
      o_q         <= '0;
      g_base_q    <= '0;
      gl_base_q   <= '0;
      o_base_q    <= '0;
      range_q     <= '0;
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
        fill_q <= beat_end ? 5'd0 : fill_q + len[4:0];
        beat_q <= beat_end ? '0 : filled;
        if (beat_end) begin
          out_valid_o <= 1'b1;
          out_data_o  <= filled;
          out_last_o  <= (Tile == 0) ? job_end : pass_end;
        end
        {g_q, gl_q, o_q} <= {g_after, gl_after, o_after};
        range_q <= range_q - 13'(len);
        if (Tile == 0) member_q <= (member_q == 13'(len)) ? member_i : member_q - 13'(len);
        if (job_end) begin
          {g_q, gl_q, o_q} <= {g_base_q, gl_base_q, o_base_q};
          range_q  <= range_i;
          member_q <= (Tile == 0 || member_end) ? member_i : member_q - 13'd1;
          jobs_q   <= jobs_q - 16'd1;
          {p_q, row_q, image_q, x_q, y_q, left_q, right_q} <= job_next;
        end
        if (pass_end) begin
          jobs_q <= jobs_i;
          ask_q  <= after_pass;
          here_q <= after_pass;
          {p_q, row_q, image_q, x_q, y_q, left_q, right_q} <= (Tile == 0) ? job_first : last_pass_i ? job_next : base_q;
          if (Tile != 0 && last_pass_i) base_q <= job_next;
          // A vector's next chunk begins where this one's range ends; a tile's next columns do.
          if ((Tile == 0) == last_pass_i) begin
            {g_q, gl_q, o_q} <= {g_after, gl_after, o_after};
            {g_base_q, gl_base_q, o_base_q} <= {g_after, gl_after, o_after};
          end else if (Tile != 0) begin
            {g_q, gl_q, o_q} <= '0;
            {g_base_q, gl_base_q, o_base_q} <= '0;
          end
        end
      end
      if (start_i) begin
        {p_q, row_q, image_q, x_q, y_q, left_q, right_q} <= job_first;
        base_q <= job_first;
        {g_q, gl_q, o_q} <= '0;
        {g_base_q, gl_base_q, o_base_q} <= '0;
      end
      if (chunk_i) begin
        range_q  <= range_i;
        member_q <= member_i;
        jobs_q   <= jobs_i;
        ask_q    <= begin_of(p_q);
        here_q   <= begin_of(p_q);
      end
    end
  end
endmodule
