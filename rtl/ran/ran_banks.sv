// Accumulator banks of the RAN: entries, who is done with them, tags and masks (docs/ran/README.md: Entries, Products).
//
// Place of bank b of entry e: e * 2 + b. `done` follows the transfers (and gates further ones); `fin` follows the additions, two
// stages later, and says when a job is complete.
module ran_banks #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int AccW = 40,
  parameter int Banks = 2
) (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic [3:0]            reduce_factor_i,

  // Transfers
  input  logic [Rows-1:0]       take_i,
  input  logic [Rows-1:0]       last_i,
  input  logic [Rows-1:0]       bank_i,
  input  logic [Rows*16-1:0]    tag_i,
  input  logic [Rows*Lanes-1:0] mask_i,
  output logic [2*Rows-1:0]     done_o,      // row r is done with bank b: 2 * r + b
  output logic [2*Rows-1:0]     all_done_o,  // every row of its group is

  // Additions
  input  logic [Rows-1:0]       add_valid_i,
  input  logic [Rows-1:0]       add_bank_i,
  input  logic [Rows*Lanes*ran_pkg::TreeW-1:0] add_i,
  input  logic [Rows-1:0]       add_last_i,
  input  logic [Rows-1:0]       add_last_bank_i,
  output logic [2*Rows-1:0]     complete_o,  // by place, pulse: complete from the next cycle on

  // Tag and mask of a place
  input  logic [5:0]            find_place_i,
  output logic [15:0]           find_tag_o,
  output logic [Lanes-1:0]      find_mask_o,

  // Drain
  input  logic                  swap_i,      // the job in `place_i` leaves its bank
  input  logic [5:0]            place_i,
  output logic [Lanes*AccW-1:0] acc_o
);
  localparam int TreeW = ran_pkg::TreeW;
  localparam int W = Lanes * AccW;
  localparam int Places = Rows * Banks;
  localparam int PlaceW = (Places > 1) ? $clog2(Places) : 1;

  function automatic logic [W-1:0] plus(input logic [W-1:0] acc, input logic [Lanes*TreeW-1:0] add);
    logic [W-1:0] out;
    for (int l = 0; l < Lanes; l++) begin
      out[AccW*l +: AccW] = acc[AccW*l +: AccW] +
                            {{(AccW - TreeW){add[TreeW*l + TreeW - 1]}}, add[TreeW*l +: TreeW]};
    end
    return out;
  endfunction

  // Whether a bank's flags (2 * row + bank) are set in every row of the group of `size` rows that `row` belongs to.
  function automatic logic whole(input logic [2*Rows-1:0] flags, input int row, input int bank, input int size);
    logic all;
    all = 1'b1;
    for (int m = row / size * size; m < row / size * size + size && m < Rows; m++) all = all & flags[2*m + bank];
    return all;
  endfunction

  logic              alone, pairs, quads;
  logic [W-1:0]      acc_q [Places];
  logic [15:0]       tag_q [Places];
  logic [Lanes-1:0]  mask_q [Places];
  logic [2*Rows-1:0] done_q, fin_q, fin, group_fin;

  assign alone = reduce_factor_i == 4'd1;
  assign pairs = reduce_factor_i == 4'd2;
  assign quads = reduce_factor_i == 4'd4;
  assign done_o = done_q;
  assign acc_o = acc_q[PlaceW'(Banks == 2 ? place_i : place_i >> 1)];
  assign find_tag_o = tag_q[PlaceW'(Banks == 2 ? find_place_i : find_place_i >> 1)];
  assign find_mask_o = mask_q[PlaceW'(Banks == 2 ? find_place_i : find_place_i >> 1)];

  for (genvar p = 0; p < 2 * Rows; p++) begin : gen_row_bank
    localparam int Row = p / 2;
    localparam int Bank = p % 2;
    // The place that this row's bank belongs to, as the drain names it.
    logic       leaves;
    logic [5:0] home;
    assign home = alone ? 6'(p) : 6'(2 * ((pairs ? Row / 2 * 2 : quads ? Row / 4 * 4 : Row / 8 * 8) + Bank));
    assign leaves = swap_i && place_i == home;
    assign fin[p] = fin_q[p] || (add_last_i[Row] && add_last_bank_i[Row] == 1'(Bank));
    assign all_done_o[p] = alone ? done_q[p] : pairs ? whole(done_q, Row, Bank, 2) :
                           quads ? whole(done_q, Row, Bank, 4) : whole(done_q, Row, Bank, 8);
    assign group_fin[p] = alone ? fin[p] : pairs ? whole(fin, Row, Bank, 2) :
                          quads ? whole(fin, Row, Bank, 4) : whole(fin, Row, Bank, 8);
    always_ff @(posedge clk_i or negedge rst_ni) begin
      if (!rst_ni) begin
        done_q[p] <= 1'b0;
        fin_q[p]  <= 1'b0;
      end else begin
        if (take_i[Row] && last_i[Row] && bank_i[Row] == 1'(Bank)) begin
          done_q[p] <= 1'b1;
        end else if (leaves) begin
          done_q[p] <= 1'b0;
        end
        fin_q[p] <= fin[p] && !group_fin[p];
      end
    end
  end

  // Of an entry's two banks at most one adds in a cycle: they share the adders.
  logic [W-1:0] sum [Rows];
  for (genvar e = 0; e < Rows; e++) begin : gen_sum
    logic [W-1:0] old;
    assign old    = acc_q[PlaceW'(Banks == 2 ? 2 * e + 32'(add_bank_i[e]) : e)];
    assign sum[e] = plus(old, add_i[Lanes*TreeW*e +: Lanes*TreeW]);
  end

  for (genvar p = 0; p < 2 * Rows; p++) begin : gen_place
    localparam int Entry = p / 2;
    localparam int Bank = p % 2;
    localparam int Below = (Entry > 0) ? Entry - 1 : 0;
    // Whether this entry holds bank 0 or bank 1 of a group.
    logic holds0, holds1;
    assign holds0 = pairs ? Entry % 2 == 0 : quads ? Entry % 4 == 0 : Entry % 8 == 0;
    assign holds1 = pairs ? Entry % 2 == 1 : quads ? Entry % 4 == 1 : Entry % 8 == 1;
    assign complete_o[p] = alone ? group_fin[p] :
                           Bank == 0 && ((holds0 && group_fin[2*Entry]) || (holds1 && group_fin[2*Below+1]));
    if (Bank < Banks) begin : gen_bank
      localparam int At = (Banks == 2) ? p : Entry;
      logic mine, lower, adds;
      assign mine = take_i[Entry] && last_i[Entry] &&
                    (alone ? bank_i[Entry] == 1'(Bank) : Bank == 0 && holds0 && !bank_i[Entry]);
      assign lower = !alone && Bank == 0 && holds1 && take_i[Below] && last_i[Below] && bank_i[Below];
      assign adds = add_valid_i[Entry] && add_bank_i[Entry] == 1'(Bank);
      always_ff @(posedge clk_i or negedge rst_ni) begin
        if (!rst_ni) begin
          acc_q[At]  <= '0;
          tag_q[At]  <= '0;
          mask_q[At] <= '0;
        end else begin
          if (mine) begin
            tag_q[At]  <= tag_i[16*Entry +: 16];
            mask_q[At] <= mask_i[Lanes*Entry +: Lanes];
          end else if (lower) begin
            tag_q[At]  <= tag_i[16*Below +: 16];
            mask_q[At] <= mask_i[Lanes*Below +: Lanes];
          end
          if (swap_i && place_i == 6'(p)) begin
            acc_q[At] <= '0;
          end else if (adds) begin
            acc_q[At] <= sum[Entry];
          end
        end
      end
    end
  end
endmodule
