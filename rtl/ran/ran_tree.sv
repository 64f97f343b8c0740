// Second stage of the RAN: the reconfigurable adder tree (docs/ran/README.md: Entries, Products).
//
// Entry e takes the product of row e if every row is a group; in larger groups entries g*RF and g*RF + 1 take the sums of the group's
// products for bank 0 and bank 1. Nodes of levels that the reduce factor does not use are held at zero.
module ran_tree #(
  parameter int Rows = 8,
  parameter int Lanes = 16
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [3:0]                           reduce_factor_i,
  input  logic [Rows-1:0]                      valid_i,
  input  logic [Rows-1:0]                      last_i,
  input  logic [Rows-1:0]                      bank_i,
  input  logic [Rows*Lanes*ran_pkg::ShiftW-1:0] shift_i,
  output logic [Rows-1:0]                      valid_o,   // of each entry
  output logic [Rows-1:0]                      bank_o,
  output logic [Rows*Lanes*ran_pkg::TreeW-1:0] tree_o,
  output logic [Rows-1:0]                      last_o,    // of each row: its last product of a job in bank last_bank_o
  output logic [Rows-1:0]                      last_bank_o
);
  localparam int ShiftW = ran_pkg::ShiftW;
  localparam int TreeW = ran_pkg::TreeW;
  localparam int W = Lanes * TreeW;

  function automatic logic [W-1:0] extended(input logic [Lanes*ShiftW-1:0] a);
    logic [W-1:0] out;
    for (int l = 0; l < Lanes; l++) begin
      out[TreeW*l +: TreeW] = {{(TreeW - ShiftW){a[ShiftW*l + ShiftW - 1]}}, a[ShiftW*l +: ShiftW]};
    end
    return out;
  endfunction

  function automatic logic [W-1:0] sum(input logic [W-1:0] a, input logic [W-1:0] b);
    logic [W-1:0] out;
    for (int l = 0; l < Lanes; l++) out[TreeW*l +: TreeW] = a[TreeW*l +: TreeW] + b[TreeW*l +: TreeW];
    return out;
  endfunction

  logic alone, pairs, quads;
  assign alone  = reduce_factor_i == 4'd1;
  assign pairs  = reduce_factor_i == 4'd2;
  assign quads  = reduce_factor_i == 4'd4;

  // Nodes by bank: index 2 * node + bank.
  logic [W-1:0] term [Rows];
  logic [W-1:0] leaf [2*Rows];
  logic [W-1:0] pair [2*Rows];   // the first Rows are used, likewise below
  logic [W-1:0] quad [2*Rows];
  logic [W-1:0] octet [2*Rows];
  logic [2*Rows-1:0] leaf_valid;

  for (genvar r = 0; r < Rows; r++) begin : gen_leaf
    assign term[r] = extended(shift_i[Lanes*ShiftW*r +: Lanes*ShiftW]);
    assign leaf_valid[2*r +: 2] = {valid_i[r] && bank_i[r], valid_i[r] && !bank_i[r]};
    assign leaf[2*r]   = (!alone && leaf_valid[2*r]) ? term[r] : '0;
    assign leaf[2*r+1] = (!alone && leaf_valid[2*r+1]) ? term[r] : '0;
  end
  for (genvar n = 0; n < 2 * Rows; n++) begin : gen_node
    localparam int Node = n / 2;
    localparam int Bank = n % 2;
    if (2 * Node + 1 < Rows) begin : gen_pair
      assign pair[n] = sum(leaf[4*Node + Bank], leaf[4*Node + 2 + Bank]);
    end else begin : gen_no_pair
      assign pair[n] = (Rows == 1) ? leaf[n] : '0;
    end
    if (4 * Node + 3 < Rows) begin : gen_quad
      assign quad[n] = pairs ? '0 : sum(pair[4*Node + Bank], pair[4*Node + 2 + Bank]);
    end else begin : gen_no_quad
      assign quad[n] = '0;
    end
    if (8 * Node + 7 < Rows) begin : gen_octet
      assign octet[n] = (pairs || quads) ? '0 : sum(quad[4*Node + Bank], quad[4*Node + 2 + Bank]);
    end else begin : gen_no_octet
      assign octet[n] = '0;
    end
  end

  // Valid of node and bank of a group of `Size` rows.
  function automatic logic any_of(input logic [2*Rows-1:0] leaves, input int first, input int size, input int bank);
    logic any;
    any = 1'b0;
    for (int r = first; r < first + size && r < Rows; r++) any = any | leaves[2*r + bank];
    return any;
  endfunction

  for (genvar e = 0; e < Rows; e++) begin : gen_entry
    logic         valid;
    logic [W-1:0] value;
    localparam int Pair = 2 * (e / 2);
    localparam int Quad = 4 * (e / 4);
    localparam int Oct = 8 * (e / 8);
    localparam int QuadAt = (e % 4 < 2) ? 2 * (e / 4) + e % 4 : 0;
    localparam int OctAt = (e % 8 < 2) ? 2 * (e / 8) + e % 8 : 0;
    assign valid = alone ? valid_i[e] :
                   pairs ? any_of(leaf_valid, Pair, 2, e % 2) :
                   quads ? (e % 4 < 2) && any_of(leaf_valid, Quad, 4, e % 4 % 2) :
                   (e % 8 < 2) && any_of(leaf_valid, Oct, 8, e % 8 % 2);
    assign value = alone ? term[e] : pairs ? pair[e] : quads ? quad[QuadAt] : octet[OctAt];
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        valid_o[e] <= 1'b0;
        bank_o[e]  <= 1'b0;
        tree_o[W*e +: W] <= '0;
      end else begin
        valid_o[e] <= valid;
        if (valid) begin
          bank_o[e] <= alone && bank_i[e];
          tree_o[W*e +: W] <= value;
        end
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      last_o      <= '0;
      last_bank_o <= '0;
    end else begin
      last_o      <= valid_i & last_i;
      last_bank_o <= bank_i;
    end
  end
endmodule
