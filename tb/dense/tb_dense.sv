// Plays beats of tiles and vectors from files into a dense array, with pauses on all ports, and writes the results to a file.
module tb_dense #(
  parameter int Rows = 2,
  parameter int Lanes = 8,
  parameter int Depth = 16,
  parameter int Floating = 0
);
  localparam int Most = 65536;
  logic clk = 1'b0;
  logic rst_n = 1'b0;
  logic [128:0]         tiles [Most];   // last, data
  logic [16*Rows+1:0]   xs [Most];      // free, last, data
  logic [31:0]          lfsr;
  logic [16*Lanes-1:0]  y_data;
  logic tile_valid, tile_ready, x_valid, x_ready, y_valid, y_ready;
  logic [128:0]       tile;
  logic [16*Rows+1:0] x;
  logic [4:0] shift;
  int tile_count, x_count, y_count, tile_at, x_at, y_at, pauses, out, seed, read;

  dense_array #(
    .Rows    (Rows),
    .Lanes   (Lanes),
    .Depth   (Depth),
    .Floating(Floating)
  ) u_dut (
    .clk_i       (clk),
    .rst_ni      (rst_n),
    .tile_valid_i(tile_valid),
    .tile_ready_o(tile_ready),
    .tile_last_i (tile[128]),
    .tile_data_i (tile[127:0]),
    .x_valid_i   (x_valid),
    .x_ready_o   (x_ready),
    .x_last_i    (x[16*Rows]),
    .x_free_i    (x[16*Rows+1]),
    .x_data_i    (x[16*Rows-1:0]),
    .shift_i     (shift),
    .y_valid_o   (y_valid),
    .y_ready_i   (y_ready),
    .y_data_o    (y_data)
  );

  assign tile = tiles[tile_at];
  assign x    = xs[x_at];

  initial begin
    $readmemh("tiles.hex", tiles);
    $readmemh("xs.hex", xs);
    read = $value$plusargs("tiles=%d", tile_count) + $value$plusargs("xs=%d", x_count) +
           $value$plusargs("ys=%d", y_count) + $value$plusargs("shift=%d", shift) +
           $value$plusargs("pauses=%d", pauses) + $value$plusargs("seed=%d", seed);
    if (read != 6) $fatal(1, "a plusarg is missing");
    out = $fopen("ys.hex", "w");
    lfsr = seed;
    tile_valid = 1'b0;
    x_valid = 1'b0;
    y_ready = 1'b0;
    tile_at = 0;
    x_at = 0;
    y_at = 0;
    #12 rst_n = 1'b1;
  end

  always #5 clk = !clk;

  // A valid that waits stays. Pauses: bits of a shift register.
  always @(posedge clk) if (rst_n) begin
    lfsr <= (lfsr >> 1) ^ (lfsr[0] ? 32'ha3000000 : 32'd0);
    if (tile_valid && tile_ready) tile_at <= tile_at + 1;
    if (x_valid && x_ready) x_at <= x_at + 1;
    if (!tile_valid || tile_ready) begin
      tile_valid <= (tile_at + 32'(tile_valid && tile_ready) < tile_count) && (pauses == 0 || lfsr[0]);
    end
    if (!x_valid || x_ready) begin
      x_valid <= (x_at + 32'(x_valid && x_ready) < x_count) && (pauses == 0 || lfsr[3] || lfsr[7]);
    end
    y_ready <= pauses == 0 || lfsr[11];
    if (y_valid && y_ready) begin
      $fwrite(out, "%h\n", y_data);
      y_at <= y_at + 1;
      if (y_at + 1 == y_count) begin
        $fclose(out);
        $display("DONE %0d", $time / 10);
        $finish;
      end
    end
    if ($time > 10 * (200 + 40 * (tile_count + x_count + y_count))) begin
      $fclose(out);
      $display("STUCK after %0d results", y_at);
      $finish;
    end
  end
endmodule
