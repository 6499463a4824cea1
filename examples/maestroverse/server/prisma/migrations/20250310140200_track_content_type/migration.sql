-- AlterTable
ALTER TABLE "Track" ADD COLUMN "contentType" TEXT;
