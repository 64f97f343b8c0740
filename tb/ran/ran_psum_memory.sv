// Answers requests for partial sums (docs/ran/reference.md, Start values), in their order.
//
// With `distance_i` = 0 a job's record comes from psum.in.bin, which Python has written before the job can ask: record n at byte
// n * RecordBytes belongs to tag n: 16-bit gap (idle cycles before the first beat), 16-bit number of beats, then the beats, most
// significant byte first. Otherwise a request for tag t is answered with the raw sums that left under tag t - distance_i, once they have:
// partial sums return without Python. Traces: psum_offer.bin, a record a beat {cycle of its offer, {15'd0, last, tag}, data (4 words)}, and
// psum_accept.bin, a word a beat: the cycle of its transfer, NEVER if a reset dropped it.
module ran_psum_memory #(
  parameter int Lanes = 16
) (
  input  logic         clk_i,
  input  logic         rst_ni,
  input  logic [31:0]  cycle_i,
  input  logic         flush_i,
  input  logic [15:0]  distance_i,

  input  logic         req_valid_i,
  input  logic         req_ready_i,
  input  logic [15:0]  req_tag_i,
  output logic         valid_o,
  input  logic         ready_i,
  output logic [127:0] data_o,
  output logic         last_o,

  input  logic         out_valid_i,     // the output stream, to be remembered
  input  logic         out_ready_i,
  input  logic [127:0] out_data_i,
  input  logic         out_last_i,
  input  logic [2:0]   out_bits_i,
  input  logic [15:0]  out_tag_i
);
  localparam int MaxBeats = 32;
  localparam int RecordBytes = 4 + 16 * MaxBeats;
  localparam int Jobs = 16384;          // raw sums that are remembered
  localparam int Asked = 8;             // requests that can be under way: more than the drain queue holds
  localparam logic [31:0] Never = 32'hffff_ffff;

  integer in_fd, offer_fd, accept_fd, got;
  logic [8*RecordBytes-1:0] record;
  logic [Lanes*64-1:0]      sums [Jobs];
  logic [16:0]              owner [Jobs];  // {complete, tag}
  logic [Lanes*64-1:0]      collect;
  logic [5:0]               collected;
  logic [15:0]              asked [Asked];
  logic [2:0]               rd, wr;
  logic                     active, open;  // a record is being played; a request is being looked up
  logic [15:0]              gap, beats, beat, tag, source;

  initial begin
    offer_fd  = $fopen("psum_offer.bin", "wb");
    accept_fd = $fopen("psum_accept.bin", "wb");
    for (int n = 0; n < Jobs; n++) owner[n] = '0;
    collect   = '0;
    collected = 0;
    rd        = 0;
    wr        = 0;
    active    = 1'b0;
    valid_o   = 1'b0;
    data_o    = '0;
    last_o    = 1'b0;
  end

  // Blocking on purpose: files and memory belong to this one process.
  /* verilator lint_off BLKSEQ */
  always @(posedge clk_i) begin
    if (!rst_ni) begin
      if (valid_o) $fwrite(accept_fd, "%u", Never);
      valid_o <= 1'b0;
      rd = 0;
      wr = 0;
      active = 1'b0;
      collected = 0;
      for (int n = 0; n < Jobs; n++) owner[n][16] = 1'b0;
    end else begin
      // Remember.
      if (out_valid_i && out_ready_i && out_bits_i >= ran_pkg::YRaw32) begin
        collect = (collected == 0) ? (Lanes*64)'(out_data_i) : collect | ((Lanes*64)'(out_data_i) << {collected, 7'd0});
        collected = collected + 6'd1;
        if (out_last_i) begin
          sums[out_tag_i[13:0]]  = collect;
          owner[out_tag_i[13:0]] = {1'b1, out_tag_i};
          collected = 0;
        end
      end
      if (req_valid_i && req_ready_i) begin
        asked[wr] = req_tag_i;
        wr = wr + 3'd1;
      end
      // Play.
      if (valid_o && ready_i) begin
        $fwrite(accept_fd, "%u", cycle_i);
        if (last_o) active = 1'b0;
      end
      if (!valid_o || ready_i) begin
        valid_o <= 1'b0;
        if (!active && rd != wr) begin
          tag = asked[rd];
          source = tag - distance_i;
          open = 1'b0;
          if (distance_i == 0) begin
            in_fd = $fopen("psum.in.bin", "rb");  // anew: what was read ahead may be old
            got = $fseek(in_fd, 32'(tag) * RecordBytes, 0);
            got = $fread(record, in_fd);
            $fclose(in_fd);
            if (got != RecordBytes) $display("TS_ASSERT NoPartialSums in %m for tag %0d", tag);
            gap    = record[8*RecordBytes-1 -: 16];
            beats  = record[8*RecordBytes-17 -: 16];
            record = record << 32;
            open   = 1'b1;
          end else if (owner[source[13:0]] == {1'b1, source}) begin
            gap    = 0;
            beats  = 16'(Lanes / 2);
            for (int n = 0; n < Lanes / 2; n++) begin
              record[8*RecordBytes-1-128*n -: 128] = sums[source[13:0]][128*n +: 128];
            end
            open   = 1'b1;
          end
          if (open) begin
            rd     = rd + 3'd1;
            active = 1'b1;
            beat   = 0;
          end
        end
        if (active && gap != 0) begin
          gap = gap - 16'd1;
        end else if (active) begin
          valid_o <= 1'b1;
          data_o  <= record[8*RecordBytes-1 -: 128];
          last_o  <= beat + 16'd1 == beats;
          $fwrite(offer_fd, "%u%u%u%u%u%u", cycle_i + 32'd1, {15'd0, beat + 16'd1 == beats, tag},
                  record[8*RecordBytes-97 -: 32], record[8*RecordBytes-65 -: 32], record[8*RecordBytes-33 -: 32],
                  record[8*RecordBytes-1 -: 32]);
          record = record << 128;
          beat   = beat + 16'd1;
        end
      end
    end
    if (flush_i) begin
      $fflush(offer_fd);
      $fflush(accept_fd);
    end
  end
  /* verilator lint_on BLKSEQ */
endmodule
