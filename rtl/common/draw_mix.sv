// The number of a draw, mixed: every bit of the result depends on every bit of the number, and no two numbers give the same
// (docs/ran/README.md, Random numbers). Combinational.
module draw_mix (
  input  logic [31:0] number_i,
  output logic [31:0] word_o
);
  // A step keeps what tells words apart: where it shifts to the left, a bit changes by what lies below it alone.
  function automatic logic [31:0] left(input logic [31:0] x, input int a, input int b, input int c);
    return x ^ (x << a) ^ ((x << b) & (x << c));
  endfunction
  function automatic logic [31:0] right(input logic [31:0] x, input int a, input int b, input int c);
    return x ^ (x >> a) ^ ((x >> b) & (x >> c));
  endfunction

  function automatic logic [31:0] mixed(input logic [31:0] number);
    logic [31:0] x;
    x = number ^ trainslice_pkg::MixStart;
    x = left(x, 13, 6, 14);
    x = right(x, 17, 5, 6);
    x = left(x, 6, 2, 11);
    x = right(x, 7, 12, 14);
    x = left(x, 3, 2, 3);
    x = right(x, 12, 8, 9);
    x = left(x, 8, 6, 10);
    x = right(x, 6, 5, 9);
    x = left(x, 11, 2, 10);
    return x;
  endfunction

  assign word_o = mixed(number_i);
endmodule
