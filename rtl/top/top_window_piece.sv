// A piece of a window (docs/top/windows.md): as much of a kernel's row as fits the beat, from where a walk stands, and where the walk stands
// after it. Lengths are in units of 4 bits.
module top_window_piece
  import top_pkg::spot_t, top_pkg::stretch_t, top_pkg::window_t, top_pkg::lengths_t, top_pkg::PosW;
#(
  parameter int Tile = 0           // rows of a tile, not vectors
) (
  // where the walk stands
  input  spot_t       spot_i,
  input  stretch_t    stretch_i,
  input  logic [12:0] left_i,      // of the range
  input  logic [12:0] member_i,    // of the member
  input  logic [15:0] jobs_i,      // of the pass
  input  logic [4:0]  fill_i,      // of the beat
  // what repeats
  input  stretch_t    base_i,      // where every window begins
  input  logic [12:0] range_i,     // of a window, that a pass takes
  input  logic [12:0] members_i,   // a beat ends after so much of a vector, after so many rows of a tile
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits, what words need
  input  window_t     window_i,
  input  lengths_t    lengths_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // words
  output logic [3:0]                 slot_o,       // where the first is in the ring
  output logic                       some_o,       // it needs words,
  output logic [PosW-5:0]            to_word_o,    // up to this one
  input  logic [2*top_pkg::BeatW-1:0] words_i,     // the first, and the next
  // the piece
  output logic [top_pkg::BeatW-1:0]  data_o,       // at its place in the beat
  output logic [4:0]                 fill_o,       // of the beat after it, if it does not end
  output logic                       job_end_o,
  output logic                       pass_end_o,
  output logic                       beat_end_o,
  // the walk after it
  output spot_t                      next_spot_o,    // the next window's
  output stretch_t                   after_o,        // in this window
  output spot_t                      spot_o,         // if the pass does not end
  output stretch_t                   stretch_o,
  output logic [12:0]                left_o,
  output logic [12:0]                member_o,
  output logic [15:0]                jobs_o
);
  localparam logic [PosW-1:0] Far = {1'b1, {(PosW-1){1'b0}}};
  localparam int FarW = 28;

  function automatic logic [PosW-1:0] far(input logic [FarW-1:0] sum);
    far = (sum >= FarW'(Far)) ? Far : sum[PosW-1:0];
  endfunction

  // ---- the next window: where it begins, padding around it ----------------
  logic [PosW-1:0] p_next, row_next, image_next;
  logic [9:0]      x_next, y_next;                 // column and row, padding included
  logic [14:0]     left_next;
  logic [19:0]     right_next;
  logic            last_column, last_row;
  assign last_column = 11'(spot_i.x) + 11'(window_i.stride) + 11'(window_i.kernel_columns) >
      11'(window_i.columns) + {6'd0, window_i.pad_columns, 1'b0};
  assign last_row = 11'(spot_i.y) + 11'(window_i.stride) + 11'(window_i.kernel_rows) >
      11'(window_i.rows) + {6'd0, window_i.pad_rows, 1'b0};
  assign image_next = (last_column && last_row) ? far(FarW'(spot_i.image) + FarW'(lengths_i.image)) : spot_i.image;
  assign row_next = !last_column ? spot_i.row :
      last_row ? image_next : far(FarW'(spot_i.row) + FarW'(lengths_i.row_step));
  assign p_next = last_column ? row_next : far(FarW'(spot_i.p) + FarW'(lengths_i.step));
  assign x_next = last_column ? 10'd0 : spot_i.x + 10'(window_i.stride);
  assign y_next = !last_column ? spot_i.y : last_row ? 10'd0 : spot_i.y + 10'(window_i.stride);
  assign left_next = last_column ? lengths_i.left :
      (spot_i.left > lengths_i.step) ? spot_i.left - lengths_i.step : 15'd0;
  assign right_next = last_column ? lengths_i.right : spot_i.right - 20'(lengths_i.step);

  // ---- the piece ----------------
  logic [5:0]      room, len, need;
  logic            last_segment, row_end, row_inside, member_end;
  logic [19:0]     rest;                           // of the kernel's row
  logic [PosW:0]   from;                           // position
  assign room = 6'd32 - 6'(fill_i);
  assign last_segment = stretch_i.g + 4'd1 == window_i.kernel_rows;
  assign rest = (20'(lengths_i.segment) > stretch_i.o) ? 20'(lengths_i.segment) - stretch_i.o : 20'd0;
  function automatic logic [5:0] least(input logic [5:0] length, input logic [19:0] other);
    least = (other < 20'(length)) ? other[5:0] : length;
  endfunction
  logic [5:0] in_range, in_member;
  assign in_range = least(room, 20'(left_i));
  assign in_member = (Tile == 0) ? least(in_range, 20'(member_i)) : in_range;
  assign need = least(in_member, rest);
  assign len = last_segment ? in_member : need;
  assign from = (PosW + 1)'(spot_i.p) + (PosW + 1)'(stretch_i.gl) + (PosW + 1)'(stretch_i.o);
  assign slot_o = from[8:5];
  assign some_o = need != 6'd0;
  assign to_word_o = (PosW - 4)'((from + (PosW + 1)'(need) - 1'b1) >> 5);
  assign row_inside = 11'(spot_i.y) + 11'(stretch_i.g) >= 11'(window_i.pad_rows) &&
      11'(spot_i.y) + 11'(stretch_i.g) < 11'(window_i.rows) + 11'(window_i.pad_rows);
  assign job_end_o = left_i == 13'(len);
  assign pass_end_o = job_end_o && jobs_i == 16'd1;
  assign member_end = (Tile == 0) ? (job_end_o || member_i == 13'(len)) :
      (job_end_o && (member_i == 13'd1 || jobs_i == 16'd1));
  assign beat_end_o = len == room || member_end;
  assign fill_o = fill_i + len[4:0];

  logic [top_pkg::BeatW-1:0] cut, mask;
  assign cut = top_pkg::BeatW'(words_i >> {from[4:0], 2'b00});
  for (genvar i = 0; i < 32; i++) begin : gen_mask
    logic [20:0] at;
    assign at = 21'(stretch_i.o) + 21'(i);
    assign mask[4*i +: 4] =
        (6'(i) < need && row_inside && at >= 21'(spot_i.left) && at < 21'(spot_i.right)) ? 4'hf : 4'h0;
  end
  assign data_o = (cut & mask) << {fill_i, 2'b00};

  // ---- the walk after it ----------------
  logic [3:0]      g_after;                        // row of the kernel
  logic [PosW-1:0] gl_after;                       // to it from the window's begin
  logic [19:0]     o_after;                        // within it
  assign row_end = !last_segment && 20'(len) == rest;
  assign g_after = row_end ? stretch_i.g + 4'd1 : stretch_i.g;
  assign gl_after = row_end ? stretch_i.gl + PosW'(lengths_i.line) : stretch_i.gl;
  assign o_after = row_end ? 20'd0 : stretch_i.o + 20'(len);
  assign after_o = {g_after, gl_after, o_after};
  assign next_spot_o = {p_next, row_next, image_next, x_next, y_next, left_next, right_next};
  assign spot_o = job_end_o ? next_spot_o : spot_i;
  assign stretch_o = job_end_o ? base_i : after_o;
  assign left_o = job_end_o ? range_i : left_i - 13'(len);
  assign jobs_o = job_end_o ? jobs_i - 16'd1 : jobs_i;
  assign member_o = member_end ? members_i :
      (Tile == 0) ? member_i - 13'(len) : job_end_o ? member_i - 13'd1 : member_i;
endmodule
