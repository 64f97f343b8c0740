// A dense array of Rows x Lanes multiply-accumulators: what the IOSS core and the RAN are compared with in area and time (docs/cells.md, The dense arrays).
//
// Each row multiplies the elements of its vector, one a cycle, with a word of the tile that all rows share; sums of finished vectors move
// to a second bank, from which a row a cycle is rounded and leaves. Tiles are double-buffered in a memory that is read with the clock.
module dense_array #(
  parameter int Rows = 8,
  parameter int Lanes = 16,
  parameter int Depth = 128,
  parameter int Floating = 0   // 0: 16-bit integers, 40-bit sums; 1: FP16, FP32 sums
) (
  input  logic clk_i,
  input  logic rst_ni,

  // Tile: 8 values a beat, lanes first
  input  logic tile_valid_i,
  output logic tile_ready_o,
  input  logic tile_last_i,
  input  logic [127:0] tile_data_i,

  // Vectors: an element of each row's
  input  logic x_valid_i,
  output logic x_ready_o,
  input  logic x_last_i,
  input  logic x_free_i,    // with the last: the tile has been used
  input  logic [16*Rows-1:0] x_data_i,

  // Results: the lanes of a row
  input  logic [4:0] shift_i,
  output logic y_valid_o,
  input  logic y_ready_i,
  output logic [16*Lanes-1:0] y_data_o
);
  localparam int AccW = (Floating != 0) ? 32 : 40;
  localparam int Parts = Lanes / 8;                     // beats of a word of the tile
  localparam int PartW = (Parts > 1) ? $clog2(Parts) : 1;
  localparam int KW = $clog2(Depth);
  localparam int RowW = $clog2(Rows + 1);

  // ---- tile ----------------
  logic             wr_bank_q, rd_bank_q, write, take;
  logic [1:0]       full_q;
  logic [PartW-1:0] part_q;
  logic [KW-1:0]    wr_k_q, k_q;
  logic [16*Lanes-1:0] w;

  assign tile_ready_o = !full_q[wr_bank_q];
  assign write = tile_valid_i && tile_ready_o;
  for (genvar p = 0; p < Parts; p++) begin : gen_mem
    logic [127:0] mem_q [2 * Depth];
    logic [127:0] read_q;
    always_ff @(posedge clk_i) begin
      if (write && part_q == PartW'(p)) mem_q[{wr_bank_q, wr_k_q}] <= tile_data_i;
      if (take) read_q <= mem_q[{rd_bank_q, k_q}];
    end
    assign w[128 * p +: 128] = read_q;
  end

  // ---- pipeline: operands, products, sums ----------------
  logic op_valid_q, op_first_q, op_last_q, prod_valid_q, prod_first_q, prod_last_q;
  logic move, finish, drain_free;
  logic [16*Rows-1:0] x_q;
  logic [RowW-1:0]    left_q;   // rows in the second bank

  assign finish    = prod_valid_q && prod_last_q;
  assign move      = !finish || drain_free;
  assign x_ready_o = full_q[rd_bank_q] && move;
  assign take      = x_valid_i && x_ready_o;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      wr_bank_q    <= 1'b0;
      rd_bank_q    <= 1'b0;
      full_q       <= '0;
      part_q       <= '0;
      wr_k_q       <= '0;
      k_q          <= '0;
      x_q          <= '0;
      op_valid_q   <= 1'b0;
      op_first_q   <= 1'b0;
      op_last_q    <= 1'b0;
      prod_valid_q <= 1'b0;
      prod_first_q <= 1'b0;
      prod_last_q  <= 1'b0;
    end else begin
      if (write) begin
        if (part_q == PartW'(Parts - 1)) begin
          part_q <= '0;
          wr_k_q <= wr_k_q + 1'b1;
        end else begin
          part_q <= part_q + 1'b1;
        end
        if (tile_last_i) begin
          part_q            <= '0;
          wr_k_q            <= '0;
          full_q[wr_bank_q] <= 1'b1;
          wr_bank_q         <= !wr_bank_q;
        end
      end
      if (take) begin
        x_q <= x_data_i;
        k_q <= x_last_i ? '0 : k_q + 1'b1;
        if (x_last_i && x_free_i) begin
          full_q[rd_bank_q] <= 1'b0;
          rd_bank_q         <= !rd_bank_q;
        end
      end
      if (move) begin
        op_valid_q   <= take;
        op_first_q   <= k_q == '0;
        op_last_q    <= x_last_i;
        prod_valid_q <= op_valid_q;
        prod_first_q <= op_first_q;
        prod_last_q  <= op_last_q;
      end
    end
  end

  // ---- rows ----------------
  logic [Rows*Lanes*AccW-1:0] sum;
  for (genvar r = 0; r < Rows; r++) begin : gen_row
    for (genvar l = 0; l < Lanes; l++) begin : gen_lane
      if (Floating != 0) begin : gen_fp
        dense_fp_mac u_mac (
          .clk_i,
          .rst_ni,
          .mul_en_i(move && op_valid_q),
          .x_i     (x_q[16 * r +: 16]),
          .w_i     (w[16 * l +: 16]),
          .add_en_i(move && prod_valid_q),
          .first_i (prod_first_q),
          .sum_o   (sum[AccW * (Lanes * r + l) +: AccW])
        );
      end else begin : gen_int
        dense_int_mac #(
          .AccW(AccW)
        ) u_mac (
          .clk_i,
          .rst_ni,
          .mul_en_i(move && op_valid_q),
          .x_i     (x_q[16 * r +: 16]),
          .w_i     (w[16 * l +: 16]),
          .add_en_i(move && prod_valid_q),
          .first_i (prod_first_q),
          .sum_o   (sum[AccW * (Lanes * r + l) +: AccW])
        );
      end
    end
  end

  // ---- drain: a row a cycle ----------------
  logic [Lanes*AccW-1:0]      bank_q [Rows];
  logic [16*Lanes-1:0]        y;
  logic                       leave;

  assign leave      = left_q != '0 && (!y_valid_o || y_ready_i);
  assign drain_free = left_q == '0 || (left_q == RowW'(1) && leave);
  logic unused;
  assign unused = (Floating != 0) && &{1'b0, shift_i};
  for (genvar l = 0; l < Lanes; l++) begin : gen_round
    if (Floating != 0) begin : gen_fp
      dense_fp_round u_round (
        .acc_i(bank_q[0][AccW * l +: AccW]),
        .y_o  (y[16 * l +: 16])
      );
    end else begin : gen_int
      dense_int_round #(
        .AccW(AccW)
      ) u_round (
        .acc_i  (bank_q[0][AccW * l +: AccW]),
        .shift_i(shift_i),
        .y_o    (y[16 * l +: 16])
      );
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      left_q    <= '0;
      for (int r = 0; r < Rows; r++) bank_q[r] <= '0;
      y_valid_o <= 1'b0;
      y_data_o  <= '0;
    end else begin
      if (leave) begin
        y_valid_o <= 1'b1;
        y_data_o  <= y;
      end else if (y_ready_i) begin
        y_valid_o <= 1'b0;
      end
      if (finish && drain_free) begin
        for (int r = 0; r < Rows; r++) bank_q[r] <= sum[Lanes * AccW * r +: Lanes * AccW];
        left_q <= RowW'(Rows);
      end else if (leave) begin
        for (int r = 0; r < Rows - 1; r++) bank_q[r] <= bank_q[r + 1];
        left_q <= left_q - 1'b1;
      end
    end
  end
endmodule
