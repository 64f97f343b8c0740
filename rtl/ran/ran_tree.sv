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

  // Both banks of a node: bank 1, bank 0.
  function automatic logic [2*W-1:0] sum(input logic [2*W-1:0] a, input logic [2*W-1:0] b);
    logic [2*W-1:0] out;
    for (int l = 0; l < 2 * Lanes; l++) out[TreeW*l +: TreeW] = a[TreeW*l +: TreeW] + b[TreeW*l +: TreeW];
    return out;
  endfunction

  logic alone, pairs, quads;
  assign alone = reduce_factor_i == 4'd1;
  assign pairs = reduce_factor_i == 4'd2;
  assign quads = reduce_factor_i == 4'd4;

  // ---- nodes: what a row, two, four, eight rows have for each bank, and whether they have anything ----------------
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    logic [W-1:0]   term;
    logic [2*W-1:0] node;
    logic [1:0]     valid;
    assign term  = extended(shift_i[Lanes*ShiftW*r +: Lanes*ShiftW]);
    assign valid = {valid_i[r] && bank_i[r], valid_i[r] && !bank_i[r]};
    assign node  = {(!alone && valid[1]) ? term : W'(0), (!alone && valid[0]) ? term : W'(0)};
  end
  for (genvar n = 0; n < Rows / 2; n++) begin : gen_pair
    logic [2*W-1:0] node;
    logic [1:0]     valid;
    assign node  = sum(gen_row[2*n].node, gen_row[2*n+1].node);
    assign valid = gen_row[2*n].valid | gen_row[2*n+1].valid;
  end
  for (genvar n = 0; n < Rows / 4; n++) begin : gen_quad
    logic [2*W-1:0] node;
    logic [1:0]     valid;
    assign node  = pairs ? (2*W)'(0) : sum(gen_pair[2*n].node, gen_pair[2*n+1].node);
    assign valid = gen_pair[2*n].valid | gen_pair[2*n+1].valid;
  end
  for (genvar n = 0; n < Rows / 8; n++) begin : gen_octet
    logic [2*W-1:0] node;
    logic [1:0]     valid;
    assign node  = (pairs || quads) ? (2*W)'(0) : sum(gen_quad[2*n].node, gen_quad[2*n+1].node);
    assign valid = gen_quad[2*n].valid | gen_quad[2*n+1].valid;
  end

  // ---- entries: bank e - g*RF of their group, or a row of their own ----------------
  for (genvar e = 0; e < Rows; e++) begin : gen_entry
    logic         valid, pair_valid, quad_valid, octet_valid;
    logic [W-1:0] value, pair, quad, octet;
    if (Rows >= 2) begin : gen_of_two
      assign pair = gen_pair[e/2].node[W*(e%2) +: W];
      assign pair_valid = gen_pair[e/2].valid[e%2];
    end else begin : gen_not_two
      assign pair = gen_row[e].node[0 +: W];
      assign pair_valid = 1'b0;
    end
    if (Rows >= 4 && e % 4 < 2) begin : gen_of_four
      assign quad = gen_quad[e/4].node[W*(e%4) +: W];
      assign quad_valid = gen_quad[e/4].valid[e%4];
    end else begin : gen_not_four
      assign quad = '0;
      assign quad_valid = 1'b0;
    end
    if (Rows >= 8 && e % 8 < 2) begin : gen_of_eight
      assign octet = gen_octet[e/8].node[W*(e%8) +: W];
      assign octet_valid = gen_octet[e/8].valid[e%8];
    end else begin : gen_not_eight
      assign octet = '0;
      assign octet_valid = 1'b0;
    end
    assign valid = alone ? valid_i[e] : pairs ? pair_valid : quads ? quad_valid : octet_valid;
    assign value = alone ? gen_row[e].term : pairs ? pair : quads ? quad : octet;
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
