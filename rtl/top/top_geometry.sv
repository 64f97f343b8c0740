// Lengths of a command's windows, in units of 4 bits, from its fields and the slices of a value; and whether the windows can be made
// (docs/top/windows.md, Fields). All of it is stable while the command is.
module top_geometry
  import top_pkg::window_t, top_pkg::lengths_t;
(
  input  logic [2:0]  slices_i,        // of a value
  /* verilator lint_off UNUSEDSIGNAL */  // spare bits; words of the images
  input  window_t     window_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic        good_o,
  output lengths_t    lengths_o
);
  logic [14:0] step;                   // from one window to the next in a row of windows
  logic [18:0] line;                   // from one row of an image to the next
  logic [22:0] row_step;               // from one row of windows to the next
  logic [26:0] image;
  logic [14:0] segment;                // a row of the kernel
  logic [23:0] span;                   // from a window's begin to its end
  logic [22:0] ahead;                 // from the first window's begin to the image's
  logic [14:0] left;                   // padding at the left of a row's first window
  logic [19:0] right;                  // from that window's begin to the right border
  logic [10:0] column;                 // a column's values
  logic [8:0]  wide, high;             // columns and rows with padding
  assign column = (slices_i <= 3'd1) ? {2'd0, window_i.channels} :
      (slices_i == 3'd2) ? {1'b0, window_i.channels, 1'b0} : {window_i.channels, 2'd0};
  assign wide = 9'(window_i.columns) + {4'd0, window_i.pad_columns, 1'b0};
  assign high = 9'(window_i.rows) + {4'd0, window_i.pad_rows, 1'b0};
  assign step = 15'(column) * 15'(window_i.stride);
  assign line = 19'(column) * 19'(window_i.columns);
  assign row_step = 23'(line) * 23'(window_i.stride);
  assign image = 27'(line) * 27'(window_i.rows);
  assign segment = 15'(column) * 15'(window_i.kernel_columns);
  assign span = 24'(line) * 24'(window_i.kernel_rows - 4'd1) + 24'(segment);
  assign left = 15'(column) * 15'(window_i.pad_columns);
  assign ahead = 23'(line) * 23'(window_i.pad_rows) + 23'(left);
  assign right = 20'(line) + 20'(left);
  assign good_o = window_i.channels != '0 && window_i.columns != '0 && window_i.rows != '0 && window_i.stride != '0 &&
      window_i.kernel_rows > {window_i.pad_rows[2:0], 1'b0} &&
      window_i.kernel_columns > {window_i.pad_columns[2:0], 1'b0} &&
      !window_i.pad_rows[3] && !window_i.pad_columns[3] &&
      9'(window_i.kernel_columns) <= wide && 9'(window_i.kernel_rows) <= high && span <= 24'(top_pkg::WindowSpan);
  assign lengths_o = {step, line, row_step, image, segment, span, ahead, left, right};
endmodule
